"""The venue's signer: the one process that opens the venue's chain key.

It signs a batch only after netting the same from fills that it read in the engine's journal itself
(`settlement.recomputation`), and a substitution only of what an account owes in such a batch (the
contract asks for the clearing house's signature besides). It believes no row for being in the
database. What must not live here: anything that a web process or worker imports.
"""

import logging
from collections.abc import Callable
from typing import Any

from compliance import policy
from compliance.errors import BodyRefused, Untrusted
from compliance.signer import BodySigner, pin_of
from exchange.trading import batches, selectors
from exchange.trading.models import BatchProposal
from settlement import recomputation
from settlement import selectors as clearing
from settlement import services as clearing_services
from settlement.chain import encoding

BODY = "venue"

logger = logging.getLogger(__name__)


class VenueSigner:
    """The open key, and the fills which the chain does not hold yet."""

    def __init__(self, key: BodySigner, fills: recomputation.JournaledFills) -> None:
        self._key = key
        self._fills = fills

    def sign_waiting(self) -> int:
        """Sign what waits for this key and bears re-checking; return how much."""
        done = 0
        for proposal in selectors.proposals_to_sign(self._fills.sequence):
            try:
                self._batch_sign(proposal, policy.policy_load(BODY))
                done += 1
            except (BodyRefused, ValueError) as refusal:
                logger.error("venue signer: batch %s: %s", proposal.batch_id, refusal)
                batches.batch_note(batch_id=proposal.batch_id, error=f"signer: {refusal}")
        for cover in clearing.substitutions_to_cosign():
            try:
                self._substitution_sign(cover, policy.policy_load(BODY))
                done += 1
            except (BodyRefused, ValueError) as refusal:
                logger.error("venue signer: substitution %s: %s", cover.pk, refusal)
        return done

    def _batch_sign(self, proposal: BatchProposal, trust: policy.Policy) -> None:
        pin = pin_of(trust, BODY)
        self._fills.forget(recomputation.settled_read(pin))
        composed = self._fills.compose(
            proposal.batch_id, proposal.from_sequence, proposal.to_sequence, trust, BODY
        )
        recomputation.committed_check(
            composed,
            fills_root=bytes(proposal.fills_root),
            chunks_hash=bytes(proposal.chunks_hash),
        )
        typed = encoding.batch_typed(recomputation.domain_pinned(pin), composed.terms)
        batches.batch_sign(batch_id=proposal.batch_id, signature=self._key.sign_typed(typed))

    def _substitution_sign(self, cover: Any, trust: policy.Policy) -> None:
        """Sign that the fund pays part of what an account owes in a batch, and no more."""
        pin, batch = pin_of(trust, BODY), cover.batch
        composed = self._fills.compose(
            batch.batch_id, batch.from_sequence, batch.to_sequence, trust, BODY
        )
        owed = -composed.positions.get((cover.account, cover.asset), 0)
        if not 0 < cover.amount_units <= owed:
            raise Untrusted(
                f"account {cover.account} owes {owed} of asset {cover.asset} in batch "
                f"{batch.batch_id}, the substitution is of {cover.amount_units}"
            )
        typed = encoding.substitute_typed(
            recomputation.domain_pinned(pin),
            batch.batch_id,
            recomputation.tokens_pinned(pin)[cover.asset],
            recomputation.addresses_attested([cover.account], trust)[cover.account],
            cover.amount_units,
        )
        clearing_services.substitution_cosign(
            substitution_id=cover.pk, venue_signature=self._key.sign_typed(typed)
        )


def signer_run(key: BodySigner, *, stopping: Callable[[], bool]) -> None:
    """Sign what waits and bears re-checking, until `stopping` says so.

    Raises `Untrusted` before the deployment, `FollowFailed`, `EngineUnavailable`.
    """
    recomputation.journal_follow(
        BODY,
        lambda fills: VenueSigner(key, fills).sign_waiting,
        channel=batches.SIGNER_CHANNEL,
        stopping=stopping,
    )

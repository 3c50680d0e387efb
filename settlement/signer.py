"""The clearing house's signer: the one process that opens its chain key.

It signs a batch only after composing the same from fills it read in the engine's journal itself
(`recomputation`), an unwinding or a substitution only behind an act which two officers of its
policy file signed, its word to custody on what is title only after chain and journal. It believes
no row for being in the database. What must not live here: anything that a web process or worker
imports.
"""

import logging
from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.constants import SECPK1_N
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.exceptions import ValidationError

from compliance import policy
from compliance.errors import BodyRefused, Untrusted
from compliance.selectors import act_get
from compliance.signer import BodySigner, act_check, coverage_typed, pin_of
from custody import selectors as custody_selectors
from custody import services as custody_services
from matching.protocol.faults import crash_point
from settlement import recomputation, services
from settlement.chain import client, encoding
from settlement.lanes import node
from settlement.models import Batch, Substitution

BODY = "clearing"

logger = logging.getLogger(__name__)


class ClearingSigner:
    """The open key, and the fills which the chain does not hold yet."""

    def __init__(self, key: BodySigner, fills: recomputation.JournaledFills) -> None:
        self._key = key
        self._fills = fills

    def sign_waiting(self) -> int:
        """Sign what waits for this key and bears re-checking; return how much."""
        done = 0
        for batch in Batch.objects.filter(clearing_signature=None, state="proposed"):
            if batch.to_sequence <= self._fills.sequence:
                done += self._try(batch, batch, self._batch_sign)
        for batch in Batch.objects.filter(unwind_act__isnull=False, unwind_signature=None).exclude(
            state__in=["unwound", "confirmed"]
        ):
            done += self._try(batch, batch, self._unwind_sign)
        for cover in Substitution.objects.filter(clearing_signature=None).select_related("batch"):
            done += self._try(cover.batch, cover, self._substitution_sign)
        return done + self._coverage_sign()

    def _coverage_sign(self) -> int:
        """Tell custody up to where all fills are title, when a withdrawal waits for it.

        That is read from the finalised block and the journal alone.
        """
        waiting = custody_selectors.withdrawals_uncovered()
        if waiting is None:
            return 0
        settled = recomputation.settled_read(pin_of(policy.policy_load(BODY), BODY))
        covered = self._fills.covered_sequence(settled)
        if covered < waiting:
            return 0
        signature = self._key.sign_typed(coverage_typed(covered))
        return custody_services.withdrawals_cover(sequence=covered, signature=signature)

    def _try(self, batch: Batch, row: Any, sign: Callable[[Any, policy.Policy], None]) -> int:
        """Sign one row; note on its batch why not when something does not bear re-checking."""
        try:
            sign(row, policy.policy_load(BODY))
        except (BodyRefused, ValueError) as refusal:
            error = f"signer: {refusal}"[:500]
            if error != batch.error:
                logger.error("clearing signer: batch %s: %s", batch.batch_id, refusal)
                Batch.objects.filter(pk=batch.pk).update(error=error)
            return 0
        return 1

    def _batch_sign(self, batch: Batch, trust: policy.Policy) -> None:
        pin = pin_of(trust, BODY)
        last = recomputation.settled_read(pin)
        self._fills.forget(last)
        if batch.from_sequence != last + 1:
            raise Untrusted(f"batch starts at {batch.from_sequence}, the chain stands at {last}")
        composed = self._fills.compose(
            batch.batch_id, batch.from_sequence, batch.to_sequence, trust, BODY
        )
        recomputation.committed_check(
            composed,
            fills_root=bytes(batch.fills_root),
            chunks_hash=bytes(batch.chunks_hash),
        )
        typed = encoding.batch_typed(recomputation.domain_pinned(pin), composed.terms)
        venue = client.authority_signer(node(), pin.targets["venue_authority"], "finalized")
        signed_by = _signed_by(typed, bytes(batch.venue_signature))
        if signed_by != to_checksum_address(venue):
            error = f"venue signature is by {signed_by}, the venue's key is {venue}"
            services.batch_refuse(batch_id=batch.batch_id, error=error)
            raise Untrusted(error)
        services.batch_countersign(batch_id=batch.batch_id, signature=self._key.sign_typed(typed))
        crash_point("settler.batch_signed")

    def _unwind_sign(self, batch: Batch, trust: policy.Policy) -> None:
        assert batch.unwind_act is not None
        act = act_get(batch.unwind_act)
        act_check(act, trust)
        if (act.kind, act.payload) != ("clearing.unwind", {"batch_id": batch.batch_id}):
            raise Untrusted(f"act {act.id} is not about unwinding this batch")
        domain = recomputation.domain_pinned(pin_of(trust, BODY))
        signature = self._key.sign_typed(encoding.unwind_typed(domain, batch.batch_id))
        services.unwind_countersign(batch_id=batch.batch_id, signature=signature)

    def _substitution_sign(self, cover: Substitution, trust: policy.Policy) -> None:
        act, pin = act_get(cover.act), pin_of(trust, BODY)
        act_check(act, trust)
        expected = {
            "batch_id": cover.batch_id,
            "asset": cover.asset,
            "account": cover.account,
            "amount_units": cover.amount_units,
        }
        if (act.kind, act.payload) != ("clearing.substitute", expected):
            raise Untrusted(f"act {act.id} is not about this substitution")
        typed = encoding.substitute_typed(
            recomputation.domain_pinned(pin),
            cover.batch_id,
            recomputation.tokens_pinned(pin)[cover.asset],
            recomputation.addresses_attested([cover.account], trust)[cover.account],
            cover.amount_units,
        )
        services.substitution_countersign(
            substitution_id=cover.pk, signature=self._key.sign_typed(typed)
        )


def signer_run(key: BodySigner, *, stopping: Callable[[], bool]) -> None:
    """Sign what waits and bears re-checking, until `stopping` says so.

    Raises `Untrusted` before the deployment, `FollowFailed`, `EngineUnavailable`.
    """
    recomputation.journal_follow(
        BODY,
        lambda fills: ClearingSigner(key, fills).sign_waiting,
        channel=services.SIGNER_CHANNEL,
        stopping=stopping,
    )


def _signed_by(typed: encoding.TypedData, signature: bytes) -> str:
    """Return who signed, by the contract's own rules: 65 bytes, v 27 or 28, low s (EIP-2)."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return "nobody (malformed)"
    if int.from_bytes(signature[32:64], "big") > SECPK1_N // 2:
        return "nobody (high s)"
    try:
        return str(
            Account.recover_message(encode_typed_data(full_message=typed), signature=signature)
        )
    except (TypeError, ValueError, BadSignature, ValidationError) as error:
        return f"nobody ({error})"

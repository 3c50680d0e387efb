"""The venue's signer: the one process that opens the venue's chain key.

It signs a batch only after netting the same from fills that it read in the engine's journal itself,
to addresses that custody's signer attested and contracts pinned in its policy file, and a
substitution only of what an account owes in such a batch (the contract asks for the clearing
house's signature besides). It believes no row for being in the database. What must not live here:
anything that a web process or worker imports.
"""

import logging
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.conf import settings

from compliance import policy
from compliance.errors import BodyRefused, Untrusted
from compliance.signer import BodySigner, attestation_check, pin_of
from custody import selectors as custody
from exchange.trading import batches, selectors
from exchange.trading.models import BatchProposal
from matching.client import engine, engine_address, follow
from matching.protocol.codec import StreamEntry
from matching.protocol.queries import GetInstruments, Instruments
from settlement import lanes, netting, obligations
from settlement import selectors as clearing
from settlement import services as clearing_services
from settlement.chain import client, encoding

BODY = "venue"
POLL_S = 0.2
TOKEN = "token:"

_sequence_of = attrgetter("sequence")
logger = logging.getLogger(__name__)


class VenueSigner:
    """The open key, and the obligations of all fills that the chain does not hold yet."""

    def __init__(self, key: BodySigner, assets: obligations.Assets) -> None:
        self._key = key
        self._assets = dict(assets)
        self._dues: list[netting.Obligation] = []
        self._sequence = 0

    def ingest(self, entry: StreamEntry) -> None:
        """Keep what one engine batch makes accounts owe."""
        self._assets |= obligations.definitions_read(entry.applied)
        self._dues += obligations.obligations_read(entry.applied, self._assets)
        self._sequence = entry.last_sequence

    def sign_waiting(self) -> int:
        """Sign what waits for this key and bears re-checking; return how much."""
        done = 0
        for proposal in selectors.proposals_to_sign(self._sequence):
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
        self._forget(
            client.last_sequence_read(lanes.node(), pin.targets["settlement"], "finalized")
        )
        composed = self._compose(
            proposal.batch_id, proposal.from_sequence, proposal.to_sequence, trust
        )
        for name in ("fills_root", "chunks_hash"):
            found, expected = bytes(getattr(proposal, name)), getattr(composed.terms, name)
            if found != expected:
                raise Untrusted(
                    f"{name} is {found.hex()}, the journal's fills give {expected.hex()}"
                )
        typed = encoding.batch_typed(_domain(pin), composed.terms)
        batches.batch_sign(batch_id=proposal.batch_id, signature=self._key.sign_typed(typed))

    def _substitution_sign(self, cover: Any, trust: policy.Policy) -> None:
        """Sign that the fund pays part of what an account owes in a batch, and no more."""
        pin, batch = pin_of(trust, BODY), cover.batch
        composed = self._compose(batch.batch_id, batch.from_sequence, batch.to_sequence, trust)
        owed = -composed.positions.get((cover.account, cover.asset), 0)
        if not 0 < cover.amount_units <= owed:
            raise Untrusted(
                f"account {cover.account} owes {owed} of asset {cover.asset} in batch "
                f"{batch.batch_id}, the substitution is of {cover.amount_units}"
            )
        address = _addresses({cover.account}, trust)[cover.account]
        token = pin.targets[f"{TOKEN}{cover.asset}"]
        typed = encoding.substitute_typed(
            _domain(pin), batch.batch_id, token, address, cover.amount_units
        )
        clearing_services.substitution_cosign(
            substitution_id=cover.pk, venue_signature=self._key.sign_typed(typed)
        )

    def _compose(
        self, batch_id: int, from_sequence: int, to_sequence: int, trust: policy.Policy
    ) -> netting.ComposedBatch:
        """Compose a batch from the journal's fills, attested addresses and pinned tokens."""
        start = bisect_left(self._dues, from_sequence, key=_sequence_of)
        dues = self._dues[start : bisect_right(self._dues, to_sequence, key=_sequence_of)]
        pinned = pin_of(trust, BODY).targets.items()
        return netting.batch_compose(
            batch_id=batch_id,
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            obligations=dues,
            tokens={int(name[len(TOKEN) :]): at for name, at in pinned if name.startswith(TOKEN)},
            accounts=_addresses({netting.REVENUE_ACCOUNT} | netting.accounts_of(dues), trust),
            max_deltas=settings.SETTLEMENT_DELTAS_PER_CHUNK,
        )

    def _forget(self, settled: int) -> None:
        del self._dues[: bisect_right(self._dues, settled, key=_sequence_of)]


def signer_run(key: BodySigner, *, stopping: Callable[[], bool]) -> None:
    """Follow the journal from the last settled fill on, signing what bears re-checking.

    Raises `Untrusted` before the deployment, `FollowFailed`, `EngineUnavailable`.
    """
    pin = pin_of(policy.policy_load(BODY), BODY)
    instruments = engine().ask(GetInstruments())
    assert isinstance(instruments, Instruments)
    terms = [state.definition for state in instruments.instruments]
    signer = VenueSigner(key, {one.instrument: (one.base_asset, one.quote_asset) for one in terms})
    entries = follow(
        engine_address(),
        follower="venue-signer",
        after_sequence=_settled(pin),
        block_ms=int(POLL_S * 1000),
        journal_only=True,
    )
    looked_at = 0.0
    for entry in entries:
        if entry is not None:
            signer.ingest(entry)
        if entry is None or time.monotonic() >= looked_at + POLL_S:
            signer.sign_waiting()
            looked_at = time.monotonic()
        if stopping():
            return


def _settled(pin: policy.ChainPin) -> int:
    return client.last_sequence_read(lanes.node(), pin.targets["settlement"], "finalized")


def _domain(pin: policy.ChainPin) -> encoding.Domain:
    return encoding.Domain(pin.chain_id, pin.targets["settlement"], settings.INSTANCE_ID)


def _addresses(numbers: set[int], trust: policy.Policy) -> dict[int, str]:
    """Return accounts' addresses, each attested by custody's signer. Raises `Untrusted`."""
    found = {}
    for number, account in custody.accounts_by_number(numbers).items():
        found[number] = account.address or ""
        attestation_check(
            attestor=trust.attestor,
            holder=account.holder,
            account=number,
            address=found[number],
            attestation=bytes(account.attestation or b""),
        )
    return found

"""The clearing house's signer: the one process that opens its chain key.

It signs a batch only after composing the same from fills it read in the engine's journal itself,
with addresses which custody's signer attested and contracts pinned in its policy file; an unwinding
or a substitution only behind an act which two officers of that file signed. It believes no row for
being in the database. What must not live here: anything that a web process or worker imports.
"""

import logging
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

from django.conf import settings
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address

from compliance import policy
from compliance.errors import BodyRefused, Untrusted
from compliance.selectors import act_get
from compliance.signer import BodySigner, act_check, attestation_check, pin_of
from custody import selectors as custody_selectors
from matching.client import engine, engine_address, follow
from matching.protocol.codec import StreamEntry
from matching.protocol.faults import crash_point
from matching.protocol.queries import GetInstruments, Instruments
from settlement import netting, obligations, services
from settlement.chain import client, encoding
from settlement.lanes import node
from settlement.models import Batch, Substitution

BODY = "clearing"
POLL_S = 0.2

logger = logging.getLogger(__name__)


class ClearingSigner:
    """The open key, and the obligations of all fills which the chain does not hold yet."""

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
        for batch in Batch.objects.filter(clearing_signature=None, state="proposed"):
            if batch.to_sequence <= self._sequence:
                done += self._try(batch, self._batch_sign)
        for batch in Batch.objects.filter(unwind_act__isnull=False, unwind_signature=None).exclude(
            state__in=["unwound", "confirmed"]
        ):
            done += self._try(batch, self._unwind_sign)
        for cover in Substitution.objects.filter(clearing_signature=None):
            done += self._try(cover, self._substitution_sign)
        return done

    def _try(self, row: Batch | Substitution, sign: Callable[[Any, policy.Policy], None]) -> int:
        """Sign one row; note on its batch why not when something does not bear re-checking."""
        batch_id = row.batch_id
        try:
            sign(row, policy.policy_load(BODY))
        except (BodyRefused, ValueError) as refusal:
            logger.error("clearing signer: batch %s: %s", batch_id, refusal)
            Batch.objects.filter(pk=batch_id).update(error=f"signer: {refusal}"[:500])
            return 0
        return 1

    def _batch_sign(self, batch: Batch, trust: policy.Policy) -> None:
        pin = pin_of(trust, BODY)
        last = client.last_sequence_read(node(), pin.targets["settlement"], "finalized")
        self._forget(last)
        if batch.from_sequence != last + 1:
            raise Untrusted(f"batch starts at {batch.from_sequence}, the chain stands at {last}")
        composed = self._compose(batch, trust)
        for name in ("fills_root", "chunks_hash"):
            found, expected = bytes(getattr(batch, name)), getattr(composed.terms, name)
            if found != expected:
                raise Untrusted(
                    f"{name} is {found.hex()}, the journal's fills give {expected.hex()}"
                )
        typed = encoding.batch_typed(_domain(pin), composed.terms)
        venue = client.authority_signer(node(), pin.targets["venue_authority"], "finalized")
        signed_by = _signed_by(typed, bytes(batch.venue_signature))
        if signed_by != to_checksum_address(venue):
            error = f"venue signature is by {signed_by}, the venue's key is {venue}"
            services.batch_refuse(batch_id=batch.batch_id, error=error)
            raise Untrusted(error)
        services.batch_countersign(batch_id=batch.batch_id, signature=self._key.sign_typed(typed))
        crash_point("settler.batch_signed")

    def _compose(self, batch: Batch, trust: policy.Policy) -> netting.ComposedBatch:
        """Compose the batch's range from the journal's fills, attested addresses, pinned tokens."""
        start = bisect_left(self._dues, batch.from_sequence, key=_sequence_of)
        end = bisect_right(self._dues, batch.to_sequence, key=_sequence_of)
        dues = self._dues[start:end]
        return netting.batch_compose(
            batch_id=batch.batch_id,
            from_sequence=batch.from_sequence,
            to_sequence=batch.to_sequence,
            obligations=dues,
            tokens=_tokens(pin_of(trust, BODY)),
            accounts=_addresses({netting.REVENUE_ACCOUNT} | netting.accounts_of(dues), trust),
            max_deltas=settings.SETTLEMENT_DELTAS_PER_CHUNK,
        )

    def _forget(self, settled: int) -> None:
        del self._dues[: bisect_right(self._dues, settled, key=_sequence_of)]

    def _unwind_sign(self, batch: Batch, trust: policy.Policy) -> None:
        assert batch.unwind_act is not None
        act = act_get(batch.unwind_act)
        act_check(act, trust)
        if (act.kind, act.payload) != ("clearing.unwind", {"batch_id": batch.batch_id}):
            raise Untrusted(f"act {act.id} is not about unwinding this batch")
        typed = encoding.unwind_typed(_domain(pin_of(trust, BODY)), batch.batch_id)
        services.unwind_countersign(batch_id=batch.batch_id, signature=self._key.sign_typed(typed))

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
        address = _addresses({cover.account}, trust)[cover.account]
        token = _tokens(pin)[cover.asset]
        typed = encoding.substitute_typed(
            _domain(pin), cover.batch_id, token, address, cover.amount_units
        )
        services.substitution_countersign(
            substitution_id=cover.pk, signature=self._key.sign_typed(typed)
        )


def signer_run(key: BodySigner, *, stopping: Callable[[], bool]) -> None:
    """Follow the journal from the last settled fill on, signing what bears re-checking.

    Raises `Untrusted` before the deployment, `FollowFailed`, `EngineUnavailable`.
    """
    pin = pin_of(policy.policy_load(BODY), BODY)
    last = client.last_sequence_read(node(), pin.targets["settlement"], "finalized")
    signer = ClearingSigner(key, _assets_ask())
    entries = follow(
        engine_address(),
        follower="clearing-signer",
        after_sequence=last,
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


def _assets_ask() -> obligations.Assets:
    """Return the assets of instruments defined before the journal is read; they never change."""
    reply = engine().ask(GetInstruments())
    assert isinstance(reply, Instruments)
    definitions = [state.definition for state in reply.instruments]
    return {one.instrument: (one.base_asset, one.quote_asset) for one in definitions}


def _sequence_of(due: netting.Obligation) -> int:
    return due.sequence


def _domain(pin: policy.ChainPin) -> encoding.Domain:
    return encoding.Domain(pin.chain_id, pin.targets["settlement"], settings.INSTANCE_ID)


def _tokens(pin: policy.ChainPin) -> dict[int, str]:
    prefix = "token:"
    return {
        int(name.removeprefix(prefix)): address
        for name, address in pin.targets.items()
        if name.startswith(prefix)
    }


def _addresses(accounts: set[int], trust: policy.Policy) -> dict[int, str]:
    """Return accounts' addresses, each attested by custody's signer. Raises `Untrusted`."""
    found = {}
    for number, account in custody_selectors.accounts_by_number(accounts).items():
        address = account.address or ""
        attestation_check(
            attestor=trust.attestor,
            holder=account.holder,
            account=number,
            address=address,
            attestation=bytes(account.attestation or b""),
        )
        found[number] = address
    return found


def _signed_by(typed: encoding.TypedData, signature: bytes) -> str:
    try:
        return str(
            Account.recover_message(encode_typed_data(full_message=typed), signature=signature)
        )
    except Exception as error:  # noqa: BLE001 (several kinds for malformed bytes)
        return f"nobody ({error})"

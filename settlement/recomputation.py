"""What both signers of batches share: recomputing them from the engine's journal alone.

Fills come from a replay of the journal, addresses from custody's attestations, contracts from the
policy file: no row is believed for being in the database. What must not live here: keys, and
anything that a web process or worker imports.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from functools import lru_cache
from operator import attrgetter

from django.conf import settings

from compliance import policy
from compliance.errors import Untrusted
from compliance.process import IDLE_S, listen, wait_notified
from compliance.signer import attestation_check, pin_of
from custody import selectors as custody_selectors
from matching.client import engine, engine_address, follow
from matching.protocol.codec import StreamEntry
from matching.protocol.queries import GetInstruments, Instruments
from settlement import netting, obligations
from settlement.chain import client, encoding
from settlement.lanes import node

TOKEN = "token:"

_sequence_of = attrgetter("sequence")
# Recovering a signer takes milliseconds; what was proven once of the same bytes stays proven, and a
# refusal is not remembered.
_attested = lru_cache(maxsize=100_000)(attestation_check)


class JournaledFills:
    """What the journal's fills make accounts owe, as far as the chain does not hold it yet."""

    def __init__(self, assets: obligations.Assets) -> None:
        self.sequence = 0
        self._assets = dict(assets)
        self._dues: list[netting.Obligation] = []

    def ingest(self, entry: StreamEntry) -> None:
        """Keep what one engine batch makes accounts owe."""
        self._assets |= obligations.definitions_read(entry.applied)
        self._dues += obligations.obligations_read(entry.applied, self._assets)
        self.sequence = entry.last_sequence

    def forget(self, settled_sequence: int) -> None:
        """Drop what the chain holds."""
        del self._dues[: bisect_right(self._dues, settled_sequence, key=_sequence_of)]

    def covered_sequence(self, settled_sequence: int) -> int:
        """Return up to which sequence every fill is title, and nothing but fills lies beyond."""
        self.forget(settled_sequence)
        last = self._dues[0].sequence - 1 if self._dues else self.sequence
        return max(settled_sequence, last)

    def compose(
        self, batch_id: int, from_sequence: int, to_sequence: int, trust: policy.Policy, body: str
    ) -> netting.ComposedBatch:
        """Compose a batch with attested addresses and pinned tokens.

        Raises `Untrusted`, and ValueError as `netting.batch_compose` does.
        """
        start = bisect_left(self._dues, from_sequence, key=_sequence_of)
        dues = self._dues[start : bisect_right(self._dues, to_sequence, key=_sequence_of)]
        return netting.batch_compose(
            batch_id=batch_id,
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            obligations=dues,
            tokens=tokens_pinned(pin_of(trust, body)),
            accounts=addresses_attested(
                {netting.REVENUE_ACCOUNT} | netting.accounts_of(dues), trust
            ),
            max_deltas=settings.SETTLEMENT_DELTAS_PER_CHUNK,
        )


def committed_check(
    composed: netting.ComposedBatch, *, fills_root: bytes, chunks_hash: bytes
) -> None:
    """Raise `Untrusted` unless these are what the journal's fills add up to."""
    for name, found in (("fills_root", fills_root), ("chunks_hash", chunks_hash)):
        expected = getattr(composed.terms, name)
        if found != expected:
            raise Untrusted(f"{name} is {found.hex()}, the journal's fills give {expected.hex()}")


def journal_follow(
    body: str,
    begin: Callable[[JournaledFills], Callable[[], object]],
    *,
    channel: str,
    stopping: Callable[[], bool],
) -> None:
    """Follow the journal from the last settled fill on; call what `begin` made again and again.

    That is when `channel` is notified and each second, with all that the journal holds by then.
    Raises `Untrusted` before the deployment, `FollowFailed`, `EngineUnavailable`.
    """
    pin = pin_of(policy.policy_load(body), body)
    instruments = engine().ask(GetInstruments())
    assert isinstance(instruments, Instruments)
    terms = [state.definition for state in instruments.instruments]
    fills = JournaledFills({one.instrument: (one.base_asset, one.quote_asset) for one in terms})
    sign_waiting = begin(fills)
    entries = follow(
        engine_address(),
        follower=f"{body}-signer",
        after_sequence=settled_read(pin),
        block_ms=0,
        journal_only=True,
    )
    listen(channel)
    looked_at = 0.0
    for entry in entries:
        if entry is not None:
            fills.ingest(entry)
        if entry is None or time.monotonic() >= looked_at + IDLE_S:
            sign_waiting()
            looked_at = time.monotonic()
        if entry is None:
            wait_notified(IDLE_S)
        if stopping():
            return


def settled_read(pin: policy.ChainPin) -> int:
    """Return the last settled sequence at the finalised block of the pinned contract."""
    return client.last_sequence_read(node(), pin.targets["settlement"], "finalized")


def domain_pinned(pin: policy.ChainPin) -> encoding.Domain:
    """Return the domain of batches, unwinds and substitutions at the pinned contract."""
    return encoding.Domain(pin.chain_id, pin.targets["settlement"], settings.INSTANCE_ID)


def tokens_pinned(pin: policy.ChainPin) -> dict[int, str]:
    """Return the pinned token of each asset."""
    return {
        int(name.removeprefix(TOKEN)): address
        for name, address in pin.targets.items()
        if name.startswith(TOKEN)
    }


def addresses_attested(numbers: Collection[int], trust: policy.Policy) -> dict[int, str]:
    """Return accounts' addresses, each attested by custody's signer. Raises `Untrusted`."""
    found = {}
    for number, account in custody_selectors.accounts_by_number(numbers).items():
        found[number] = account.address or ""
        _attested(
            attestor=trust.attestor,
            holder=account.holder,
            account=number,
            address=found[number],
            attestation=bytes(account.attestation or b""),
        )
    return found

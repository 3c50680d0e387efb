"""Where a record of one account and asset begins to differ from the engine's, by sequence number.

Used once a difference is known: it reads the journal from its start, and old blocks. Repairs
nothing.
"""

from collections import defaultdict
from typing import Literal

from custody import selectors as custody_selectors
from custody.ledger import bookings_of
from matching.client import FollowFailed, engine_address, follow
from settlement import lanes, netting, obligations, selectors
from settlement.chain import client
from settlement.models import Batch, MovementKind, ReserveMovement

BATCHES_BACK_MAX = 32
JOURNAL_WAIT_MS = 1_000


def ledger_parting(account: int, asset: int, upto_sequence: int) -> int:
    """Return the first sequence at which the postings are not what the journal says.

    The cut itself when they agree: then the engine's memory left its own journal.
    """
    posted: dict[int, int] = defaultdict(int)
    for sequence, _, units, _ in custody_selectors.ledger_postings(
        account=account, asset=asset, upto_sequence=upto_sequence
    ):
        posted[sequence] += units
    journaled = _journaled(account, asset, upto_sequence)
    differing = [
        sequence
        for sequence in posted.keys() | journaled.keys()
        if posted.get(sequence, 0) != journaled.get(sequence, 0)
    ]
    return min(differing, default=upto_sequence)


def _journaled(account: int, asset: int, upto_sequence: int) -> dict[int, int]:
    """Return what each sequenced command moved of an account's asset, by the journal alone."""
    assets: obligations.Assets = {}
    moved: dict[int, int] = defaultdict(int)
    entries = follow(
        engine_address(),
        follower="reconciler",
        after_sequence=0,
        block_ms=JOURNAL_WAIT_MS,
        journal_only=True,
    )
    try:
        for entry in entries:
            if entry is None:
                break
            assets |= obligations.definitions_read(entry.applied)
            for booking in bookings_of(entry.applied, assets):
                if booking.sequence <= upto_sequence:
                    moved[booking.sequence] += booking.amounts.get((account, asset), 0)
            if entry.last_sequence >= upto_sequence:
                break
    except FollowFailed:  # the journal's beginning is archived: what is left must do
        pass
    return moved


def chain_parting(account: int, asset: int, upto_sequence: int) -> int:
    """Return the first sequence at which the chain's balance is not what it should be.

    A credit that no mint on chain stands behind names itself; otherwise it is the first sequence
    after the newest settled batch in whose block the two still agreed.
    """
    for sequence, reference, _, netted in custody_selectors.ledger_postings(
        account=account, asset=asset, upto_sequence=upto_sequence
    ):
        if netted or _withdrawn(reference):
            continue
        if _carried(reference, "finalized"):
            continue
        return sequence
    address = custody_selectors.account_addresses([account])[account]
    token = selectors.token_addresses()[asset]
    first = 1
    for batch, block in _batches_back():
        (found,) = client.balances_read(lanes.node(), token, [address], block)
        if found == _expected_at(account, asset, batch.to_sequence, block):
            first = batch.to_sequence + 1
            break
        first = batch.from_sequence
    dues = selectors.obligations_between(first, upto_sequence)
    touching = [due.sequence for due in dues if netting.net([due]).get((account, asset))]
    return min(touching, default=first)


def _batches_back() -> list[tuple[Batch, int]]:
    """Return the newest settled batches with their blocks, newest first."""
    deployed = selectors.deployment()
    confirmed = Batch.objects.filter(state="confirmed").order_by("-to_sequence")
    newest = list(confirmed[:BATCHES_BACK_MAX])
    if not newest:
        return []
    since = newest[-1].block_before or deployed.block_number
    node = lanes.node()
    events = client.settled_events(node, deployed.settlement, since, client.finalized_block(node))
    blocks = {event.batch_id: event.block_number for event in events}
    return [(batch, blocks[batch.batch_id]) for batch in newest if batch.batch_id in blocks]


def _expected_at(account: int, asset: int, settled: int, block: int) -> int:
    """Return the units an account should have on chain in the block of a batch's settlement."""
    units = 0
    for sequence, reference, moved, netted in custody_selectors.ledger_postings(
        account=account, asset=asset
    ):
        if netted:
            units += moved if sequence <= settled else 0
        elif _carried(reference, block):
            units += moved
    taken = ReserveMovement.objects.filter(
        account=account, asset=asset, batch__to_sequence__lte=settled, batch__state="confirmed"
    )
    for one in taken:
        units += -one.amount_units if one.kind == MovementKind.DIVERTED else one.amount_units
    return units


def _withdrawn(reference: str) -> bool:
    """Tell whether a withdrawal stands behind a reference, carried by now or still on its way."""
    return custody_selectors.withdrawal_moved_as(reference) is not None


def _carried(reference: str, block: int | Literal["finalized"]) -> bool:
    """Tell whether a block holds what stands behind a credit's or debit's reference.

    A withdrawal that was given back left nothing on chain: its debit and return count together.
    """
    kind = reference.partition(":")[0]
    if kind == "deposit":
        found = custody_selectors.token_deposit_credited_as(reference)
        return found is not None and (block == "finalized" or found.block_number <= block)
    issuance = custody_selectors.issuance_credited_as(reference)
    if issuance is not None and issuance.intent_id is not None:
        intent = issuance.intent_id
    else:
        moved = custody_selectors.withdrawal_moved_as(reference)
        if moved is None:
            return False
        withdrawal, intent = moved
        if ":return" in reference or withdrawal.return_sequence is not None:
            return True
    authority = selectors.deployment().authorities["custody"]
    return client.authority_used(lanes.node(), authority, intent.bytes.rjust(32, b"\0"), block)

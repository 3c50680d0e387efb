"""Netting: what the fills and movements of a sequence range make each account give and receive.

Pure functions over obligations; venue and clearing house run the same ones and must agree to the
byte. What must not stand here: Django, the database, the network, keys.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from matching.protocol.events import Converted, Filled, Transferred
from matching.protocol.units import Side
from settlement.chain import encoding

REVENUE_ACCOUNT = 2
DELTAS_PER_CHUNK = 600

Positions = dict[tuple[int, int], int]

# Nine uint64 as the ABI has them, in words of 32 bytes, big-endian; the two int256 follow.
_leaf_words = Struct(">" + 9 * "24xQ").pack


class Obligation(NamedTuple):
    """What one fill makes buyer and seller owe, in base units; a negative fee is a rebate.

    A movement between accounts is one without fill and instrument, both 0: a conversion is a trade
    with the provider, a transfer one in which the seller gets nothing.
    """

    fill_id: int
    sequence: int
    instrument: int
    buyer: int
    seller: int
    base_asset: int
    base_units: int
    quote_asset: int
    quote_units: int
    buyer_fee_units: int
    seller_fee_units: int


@dataclass(frozen=True, slots=True)
class ComposedBatch:
    """A batch as both bodies sign it, with all it is made of."""

    terms: encoding.Batch
    fills: int
    positions: Positions
    chunks: tuple[bytes, ...]

    def chunk_rows(self) -> list[tuple[bytes, bytes, int]]:
        """Return each chunk with its hash and its number of deltas, in order."""
        hashes = encoding.chunk_hashes(self.chunks)
        counts = [encoding.chunk_length(chunk) for chunk in self.chunks]
        return list(zip(self.chunks, hashes, counts, strict=True))


def obligation_of(sequence: int, fill: Filled, base_asset: int, quote_asset: int) -> Obligation:
    """Return the obligation of an engine's fill in an instrument of these assets."""
    taker_buys = fill.taker_side == Side.BUY
    taker = (fill.taker_account, fill.taker_fee_units)
    maker = (fill.maker_account, fill.maker_fee_units)
    (buyer, buyer_fee), (seller, seller_fee) = (taker, maker) if taker_buys else (maker, taker)
    return Obligation(
        fill_id=fill.fill_id,
        sequence=sequence,
        instrument=fill.instrument,
        buyer=buyer,
        seller=seller,
        base_asset=base_asset,
        base_units=fill.base_units,
        quote_asset=quote_asset,
        quote_units=fill.quote_units,
        buyer_fee_units=buyer_fee,
        seller_fee_units=seller_fee,
    )


def movement_obligation(sequence: int, moved: Transferred | Converted) -> Obligation:
    """Return the obligation of units that moved between accounts without a fill."""
    if isinstance(moved, Transferred):
        buyer, seller, asset = moved.to_account, moved.from_account, moved.asset
        return Obligation(0, sequence, 0, buyer, seller, asset, moved.amount_units, asset, 0, 0, 0)
    return Obligation(
        fill_id=0,
        sequence=sequence,
        instrument=0,
        buyer=moved.account,
        seller=moved.provider,
        base_asset=moved.bought_asset,
        base_units=moved.bought_units,
        quote_asset=moved.sold_asset,
        quote_units=moved.sold_units,
        buyer_fee_units=0,
        seller_fee_units=0,
    )


def fill_leaf(obligation: Obligation) -> bytes:
    """Return the Merkle leaf of a fill or movement: its eleven fields in order, ABI-encoded.

    The first nine are uint64, the two fees int256.
    """
    *words, buyer_fee, seller_fee = obligation
    fees = (fee.to_bytes(32, "big", signed=True) for fee in (buyer_fee, seller_fee))
    return encoding.fill_leaf(_leaf_words(*words) + b"".join(fees))


def accounts_of(obligations: Iterable[Obligation]) -> set[int]:
    """Return the numbers of all buyers and sellers."""
    return {number for due in obligations for number in (due.buyer, due.seller)}


def net(obligations: Iterable[Obligation]) -> Positions:
    """Return the net units of each (account, asset), fees to revenue, zeros left out.

    Base moves seller to buyer, quote buyer to seller, each fee in quote to revenue; the sum over
    accounts is zero in every asset, whatever the order of the obligations.
    """
    positions: dict[tuple[int, int], int] = defaultdict(int)
    for due in obligations:
        positions[due.buyer, due.base_asset] += due.base_units
        positions[due.seller, due.base_asset] -= due.base_units
        positions[due.buyer, due.quote_asset] -= due.quote_units + due.buyer_fee_units
        positions[due.seller, due.quote_asset] += due.quote_units - due.seller_fee_units
        fees = due.buyer_fee_units + due.seller_fee_units
        positions[REVENUE_ACCOUNT, due.quote_asset] += fees
    sums: dict[int, int] = defaultdict(int)
    for (_, asset), amount in positions.items():
        sums[asset] += amount
    assert not any(sums.values()), f"net positions do not sum to zero: {dict(sums)}"
    return {key: amount for key, amount in sorted(positions.items()) if amount}


def batch_compose(
    *,
    batch_id: int,
    from_sequence: int,
    to_sequence: int,
    obligations: Sequence[Obligation],
    tokens: Mapping[int, str],
    accounts: Mapping[int, str],
    max_deltas: int = DELTAS_PER_CHUNK,
) -> ComposedBatch:
    """Return the batch of all obligations of a range; `tokens` by asset, `accounts` by number.

    Raises ValueError when an obligation lies outside the range, a fill is missing between two (fill
    numbers have no gaps), there is none at all, or an asset or account has no address.
    """
    ordered = sorted(obligations, key=lambda due: (due.sequence, due.fill_id))
    if not ordered:
        raise ValueError(f"no fill in {from_sequence}..{to_sequence}: nothing to settle")
    for due in ordered:
        if not from_sequence <= due.sequence <= to_sequence:
            raise ValueError(
                f"fill {due.fill_id} at {due.sequence} is outside {from_sequence}..{to_sequence}"
            )
    fills = [due.fill_id for due in ordered if due.fill_id]
    if fills and fills != list(range(fills[0], fills[-1] + 1)):
        raise ValueError(
            f"fills {fills[0]}..{fills[-1]} are not there once each: {len(fills)} given"
        )
    positions = net(ordered)
    chunks = encoding.chunks_encode(
        _deltas(positions, tokens, accounts),
        max_deltas=max_deltas,
    )
    terms = encoding.Batch(
        batch_id=batch_id,
        from_sequence=from_sequence,
        to_sequence=to_sequence,
        fills_root=encoding.fills_root([fill_leaf(due) for due in ordered]),
        chunks_hash=encoding.chunks_hash(chunks),
    )
    return ComposedBatch(terms, len(fills), positions, tuple(chunks))


def _deltas(
    positions: Positions, tokens: Mapping[int, str], accounts: Mapping[int, str]
) -> list[encoding.Delta]:
    deltas = []
    for (account, asset), amount in positions.items():
        if asset not in tokens:
            raise ValueError(f"asset {asset} has no token on this chain")
        if account not in accounts:
            raise ValueError(f"account {account} has no address yet")
        deltas.append(encoding.Delta(tokens[asset], accounts[account], amount))
    return deltas

"""Queries: read-only questions answered by the engine at its current sequence; never journaled."""

from typing import TypeAlias

import msgspec

from matching.protocol.commands import Credit, Debit, DefineInstrument
from matching.protocol.units import Phase, Side


class Query(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all queries; tags do not meet those of commands."""


class GetStatus(Query, frozen=True, tag=101):
    """Ask for sequence, epoch and counters, and for the state hash (costly) only when wanted."""

    with_state_hash: bool = False


class GetBalances(Query, frozen=True, tag=102):
    """Ask for all balances of one account, or of every account when `account` is 0."""

    account: int = 0


class GetBook(Query, frozen=True, tag=103):
    """Ask for the levels of an instrument, best first, at most `depth` a side (0 = all)."""

    instrument: int
    depth: int = 0


class GetOpenOrders(Query, frozen=True, tag=104):
    """Ask for resting orders of one account, or of every account when `account` is 0."""

    account: int = 0


class GetInstruments(Query, frozen=True, tag=105):
    pass


class GetMovement(Query, frozen=True, tag=106):
    """Ask for the credit or debit of a reference."""

    reference: str


AnyQuery: TypeAlias = (
    GetStatus | GetBalances | GetBook | GetOpenOrders | GetInstruments | GetMovement
)


class Reply(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all replies; `sequence` is that of the last command applied before the answer."""

    sequence: int


class Status(Reply, frozen=True, tag=201):
    """`state_hash` covers the whole state except sequence and clock; hex SHA-256, or empty.

    `orders` are the open ones; `journal_bytes` what the journal takes up.
    """

    epoch: int
    instance: str
    state_hash: str
    orders: int
    accounts: int
    fills: int
    published_sequence: int
    standby: bool
    journal_bytes: int = 0


class Balance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    account: int
    asset: int
    available_units: int
    held_units: int


class Balances(Reply, frozen=True, tag=202):
    balances: tuple[Balance, ...]


class Book(Reply, frozen=True, tag=203):
    """Levels are (price_ticks, quantity_lots, orders), best first."""

    instrument: int
    bids: tuple[tuple[int, int, int], ...]
    asks: tuple[tuple[int, int, int], ...]


class OpenOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    order_id: int
    account: int
    client_order_id: str
    instrument: int
    side: Side
    price_ticks: int
    remaining_lots: int


class OpenOrders(Reply, frozen=True, tag=204):
    orders: tuple[OpenOrder, ...]


class InstrumentState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    definition: DefineInstrument
    phase: Phase
    last_price_ticks: int


class Instruments(Reply, frozen=True, tag=205):
    instruments: tuple[InstrumentState, ...]


class MovementFound(Reply, frozen=True, tag=206):
    """What the reference moved, and at which sequence number; None and 0 when nothing did."""

    command: Credit | Debit | None
    applied_sequence: int


AnyReply: TypeAlias = Status | Balances | Book | OpenOrders | Instruments | MovementFound

"""Queries: read-only questions answered by the engine at its current sequence; never journaled."""

from typing import TypeAlias

import msgspec

from matching.protocol.commands import DefineInstrument, DefineSegment, Referenced
from matching.protocol.units import OrderKind, Phase, Side


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
    """Ask for the credit, debit or other command of a reference."""

    reference: str


class GetSegments(Query, frozen=True, tag=107):
    pass


class GetRoutes(Query, frozen=True, tag=108):
    """Ask for the routes with something out, of one account or (0) of all."""

    account: int = 0


AnyQuery: TypeAlias = (
    GetStatus
    | GetBalances
    | GetBook
    | GetOpenOrders
    | GetInstruments
    | GetMovement
    | GetSegments
    | GetRoutes
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
    """An open order as it acts now: `kind` is MARKET for one turned market.

    `visible_lots` of it stand in the public book: less than all of an iceberg, none of a midpoint
    order, of one that waits, or of one at any price. `stop_price_ticks` is 0 unless it waits for
    that; `display_lots` is what an iceberg shows at a time.
    """

    order_id: int
    account: int
    client_order_id: str
    instrument: int
    side: Side
    price_ticks: int
    remaining_lots: int
    visible_lots: int = 0
    kind: OrderKind = OrderKind.LIMIT
    stop_price_ticks: int = 0
    pair_order_id: int = 0
    display_lots: int = 0


class OpenOrders(Reply, frozen=True, tag=204):
    orders: tuple[OpenOrder, ...]


class InstrumentState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`reference_ticks` is the last trade's price or the base price, whichever is newer.

    The indicative price and quantity are those of an auction as last published.
    """

    definition: DefineInstrument
    phase: Phase
    last_price_ticks: int
    reference_ticks: int = 0
    ends_at_ns: int = 0
    killed: bool = False
    indicative_price_ticks: int = 0
    indicative_quantity_lots: int = 0
    indicative_surplus_lots: int = 0


class Instruments(Reply, frozen=True, tag=205):
    instruments: tuple[InstrumentState, ...]


class MovementFound(Reply, frozen=True, tag=206):
    """What the reference moved, and at which sequence number; None and 0 when nothing did."""

    command: Referenced | None
    applied_sequence: int


class SegmentState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Index and base are sums of weight times ticks; `stage` is the last one that tripped."""

    definition: DefineSegment
    index: int
    base_index: int
    stage: int
    closes_at_ns: int


class Segments(Reply, frozen=True, tag=207):
    segments: tuple[SegmentState, ...]


class RouteState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    reference: str
    account: int
    order_id: int
    instrument: int
    side: Side
    price_ticks: int
    remaining_lots: int
    held_units: int


class Routes(Reply, frozen=True, tag=208):
    routes: tuple[RouteState, ...]


AnyReply: TypeAlias = (
    Status | Balances | Book | OpenOrders | Instruments | MovementFound | Segments | Routes
)

"""The image of a state: plain data in one canonical order, for snapshots and the state hash."""

import msgspec

from matching.accounts import Movement, Route
from matching.auction import Uncrossing
from matching.order import Order
from matching.protocol.commands import DefineInstrument, DefineSegment
from matching.protocol.events import OrderAccepted
from matching.protocol.units import AccountKind, Phase


class HolderImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    holder: int
    version: int
    classes: int
    frozen: bool
    tier: int


class AccountImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Balances are (asset, available, held) without zeros; ids are sorted by client order id.

    They are those of the trade date, of the one before, and of older orders that are open.
    """

    account: int
    holder: int
    kind: AccountKind
    balances: tuple[tuple[int, int, int], ...]
    ids: tuple[OrderAccepted, ...]
    older_ids: tuple[OrderAccepted, ...]
    lasting_ids: tuple[OrderAccepted, ...]
    killed: bool
    heartbeat_due_ns: int


class BookImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Orders stand in price-time priority, bids before asks, the unseen and the parked behind."""

    definition: DefineInstrument
    phase: Phase
    resumes: Phase
    phase_decided_at_ns: int
    decided_phase: Phase
    ends_at_ns: int
    reopening_ns: int
    announced_ns: int
    extended: bool
    killed: bool
    last_price_ticks: int
    reference_ticks: int
    static_ticks: int
    indicative: Uncrossing
    indicative_due_ns: int
    orders: tuple[Order, ...]


class SegmentImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`met_at_ns` is since when the next stage is met, 0 while it is not; `day` the session's date.

    Until `halted_until_ns` its breaker keeps all of it from trading.
    """

    definition: DefineSegment
    base_index: int
    tripped_index: int
    stage: int
    closes_at_ns: int
    met_at_ns: int
    day: int
    halted_until_ns: int


class Image(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Everything but sequence number and clock, each list sorted by its key."""

    holders: tuple[HolderImage, ...]
    accounts: tuple[AccountImage, ...]
    books: tuple[BookImage, ...]
    segments: tuple[SegmentImage, ...]
    routes: tuple[Route, ...]
    outstanding: tuple[tuple[int, int], ...]
    movements: tuple[Movement, ...]
    trade_day: int
    fills: int
    compensated: tuple[int, ...]

"""Events: what the engine did. Past tense, frozen; followers build all records from these alone."""

from typing import TypeAlias

import msgspec

from matching.protocol.commands import DefineInstrument, DefineSegment, OrderTerms
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    AccountKind,
    CancelReason,
    FillKind,
    Interruption,
    Medium,
    OrderKind,
    Phase,
    SelfTradePrevention,
    Side,
    TimeInForce,
)


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all events; sequence and time stand in the `Applied` that carries it."""


class Refused(Event, frozen=True, tag=1):
    """The command changed nothing; `detail` says what was expected and what was found."""

    code: Refusal
    detail: str


class InstrumentDefined(Event, frozen=True, tag=2):
    definition: DefineInstrument


class PhaseChanged(Event, frozen=True, tag=3):
    """`ends_at_ns` is when the phase ends by itself at the earliest, 0 when it does not."""

    instrument: int
    phase: Phase
    ends_at_ns: int = 0


class AccountOpened(Event, frozen=True, tag=4):
    account: int
    holder: int
    kind: AccountKind


class EligibilityChanged(Event, frozen=True, tag=5):
    holder: int
    version: int
    classes: int
    frozen: bool


class Credited(Event, frozen=True, tag=6):
    account: int
    asset: int
    amount_units: int
    reference: str


class Debited(Event, frozen=True, tag=7):
    account: int
    asset: int
    amount_units: int
    reference: str


class ReferenceRepeated(Event, frozen=True, tag=8):
    """The same credit or debit was applied before, at `sequence`; nothing changed."""

    reference: str
    sequence: int


class OrderAccepted(Event, frozen=True, tag=9):
    """`order_id` is the sequence number of the command that placed it.

    `price_ticks` is the limit that a best-limit or top-priority order found for itself.
    """

    order_id: int
    account: int
    client_order_id: str
    instrument: int
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    price_ticks: int
    quantity_lots: int
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    medium: Medium
    terms: OrderTerms | None = None


class OrderRepeated(Event, frozen=True, tag=10):
    """The same order was accepted before under this client order id; nothing changed."""

    order_id: int
    account: int
    client_order_id: str


class Filled(Event, frozen=True, tag=11):
    """A trade. `fill_id` counts from 1 over all instruments without gaps.

    Base moves seller to buyer, quote buyer to seller; each side's fee goes in quote to revenue (a
    negative fee is a rebate paid from the other side's fee). Remaining quantities are those after
    the fill; an order with none is closed. Where both orders rested (auction, midpoint) the taker
    is the younger one. A fill that is EXTERNAL or COMPENSATING has no order of this book: its order
    ids are 0, save the one that an external fill's route was taken from.
    """

    fill_id: int
    instrument: int
    price_ticks: int
    quantity_lots: int
    base_units: int
    quote_units: int
    taker_side: Side
    maker_order_id: int
    taker_order_id: int
    maker_account: int
    taker_account: int
    maker_fee_units: int
    taker_fee_units: int
    maker_remaining_lots: int
    taker_remaining_lots: int
    kind: FillKind = FillKind.CONTINUOUS


class OrderReduced(Event, frozen=True, tag=12):
    """Self-trade prevention, or a route, took `by_lots` off an order without a fill.

    An order left with nothing is closed by the `OrderCancelled` that follows.
    """

    order_id: int
    account: int
    instrument: int
    by_lots: int
    remaining_lots: int


class OrderAmended(Event, frozen=True, tag=13):
    order_id: int
    account: int
    instrument: int
    price_ticks: int
    remaining_lots: int
    priority_kept: bool
    stop_price_ticks: int = 0


class OrderCancelled(Event, frozen=True, tag=14):
    """The order is closed; `remaining_lots` were open."""

    order_id: int
    account: int
    instrument: int
    reason: CancelReason
    remaining_lots: int


class OrdersCancelled(Event, frozen=True, tag=15):
    """A cancel-all ended: `count` orders were cancelled (their events stand before this one)."""

    account: int
    count: int


class OrderParked(Event, frozen=True, tag=16):
    """The order waits outside the book: for its stop price, or (0) for the closing auction."""

    order_id: int
    account: int
    instrument: int
    stop_price_ticks: int


class OrderActivated(Event, frozen=True, tag=17):
    """A waiting order became active, or a conditional limit turned market.

    From here on it acts as `kind`, with the limit `price_ticks` (0 for a market order).
    """

    order_id: int
    account: int
    instrument: int
    kind: OrderKind
    price_ticks: int


class OrderReplenished(Event, frozen=True, tag=18):
    """An iceberg shows `visible_lots` anew, behind all others of its price."""

    order_id: int
    account: int
    instrument: int
    visible_lots: int


class IndicativeChanged(Event, frozen=True, tag=19):
    """At what price and quantity the auction would end now, both 0 when nothing would trade.

    `surplus_lots` is what would be left at that price: to buy when positive, to sell when negative.
    """

    instrument: int
    price_ticks: int
    quantity_lots: int
    surplus_lots: int


class AuctionUncrossed(Event, frozen=True, tag=20):
    """An auction ended at one price; its fills follow. Both are 0 when nothing trades."""

    instrument: int
    price_ticks: int
    quantity_lots: int


class MarketInterrupted(Event, frozen=True, tag=21):
    """A trade at `price_ticks` was kept back: too far from `reference_ticks`."""

    instrument: int
    cause: Interruption
    reference_ticks: int
    price_ticks: int


class SegmentDefined(Event, frozen=True, tag=22):
    definition: DefineSegment


class SessionBegun(Event, frozen=True, tag=23):
    segment: int
    base_index: int
    closes_at_ns: int


class BreakerTripped(Event, frozen=True, tag=24):
    """Stage (from 1) of the segment's breaker; the phases that it changes follow."""

    segment: int
    stage: int
    base_index: int
    index: int


class FeeTierChanged(Event, frozen=True, tag=25):
    holder: int
    tier: int


class KillSwitchChanged(Event, frozen=True, tag=26):
    account: int
    instrument: int
    engaged: bool


class HeartbeatSet(Event, frozen=True, tag=27):
    """`due_ns` is when the account's orders are cancelled; 0 when its heartbeat ended."""

    account: int
    due_ns: int


class HeartbeatMissed(Event, frozen=True, tag=28):
    account: int


class HoldingAdjusted(Event, frozen=True, tag=29):
    """A split added `delta_units` (or took them off) and left a `remainder` / denominator over."""

    account: int
    asset: int
    delta_units: int
    remainder: int
    reference: str


class HoldingsSplit(Event, frozen=True, tag=30):
    """A split ended; the accounts it changed stand before. `outstanding_units` is the new sum."""

    asset: int
    numerator: int
    denominator: int
    outstanding_units: int
    reference: str


class Transferred(Event, frozen=True, tag=31):
    from_account: int
    to_account: int
    asset: int
    amount_units: int
    reference: str


class Converted(Event, frozen=True, tag=32):
    account: int
    provider: int
    sold_asset: int
    sold_units: int
    bought_asset: int
    bought_units: int
    reference: str


class CashAllocated(Event, frozen=True, tag=33):
    account: int
    asset: int
    amount_units: int
    segment: int
    inward: bool
    reference: str


class RouteHeld(Event, frozen=True, tag=34):
    account: int
    order_id: int
    instrument: int
    side: Side
    price_ticks: int
    quantity_lots: int
    held_units: int
    reference: str


class RouteReleased(Event, frozen=True, tag=35):
    """`remaining_lots` are still out; a route with none is closed."""

    route: str
    account: int
    quantity_lots: int
    remaining_lots: int
    reference: str


class RouteFilled(Event, frozen=True, tag=36):
    """Stands before the `Filled` of the partner's fill."""

    route: str
    account: int
    quantity_lots: int
    remaining_lots: int
    reference: str


class FillCompensated(Event, frozen=True, tag=37):
    """Stands before the `Filled` that undoes the fill `fill_id`."""

    fill_id: int
    instrument: int
    reference: str


class Advanced(Event, frozen=True, tag=38):
    """What was due is done (its events stand before this one)."""


AnyEvent: TypeAlias = (
    Refused
    | InstrumentDefined
    | PhaseChanged
    | AccountOpened
    | EligibilityChanged
    | Credited
    | Debited
    | ReferenceRepeated
    | OrderAccepted
    | OrderRepeated
    | Filled
    | OrderReduced
    | OrderAmended
    | OrderCancelled
    | OrdersCancelled
    | OrderParked
    | OrderActivated
    | OrderReplenished
    | IndicativeChanged
    | AuctionUncrossed
    | MarketInterrupted
    | SegmentDefined
    | SessionBegun
    | BreakerTripped
    | FeeTierChanged
    | KillSwitchChanged
    | HeartbeatSet
    | HeartbeatMissed
    | HoldingAdjusted
    | HoldingsSplit
    | Transferred
    | Converted
    | CashAllocated
    | RouteHeld
    | RouteReleased
    | RouteFilled
    | FillCompensated
    | Advanced
)


class Applied(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one sequenced command did; never empty."""

    sequence: int
    time_ns: int
    events: tuple[AnyEvent, ...]

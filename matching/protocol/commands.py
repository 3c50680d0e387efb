"""Commands: what a body asks of the engine. Imperative, frozen, complete: it reads nothing else."""

from typing import TypeAlias

import msgspec

from matching.protocol.units import (
    AccountKind,
    Allocation,
    Medium,
    OrderKind,
    Phase,
    SelfTradePrevention,
    Side,
    TimeInForce,
)


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all commands; on the wire an array whose first element is the tag."""


class DefineInstrument(Command, frozen=True, tag=1):
    """Create an instrument or change its rules; assets, unit sizes and class never change.

    `quote_units_per_tick_lot` is the quote amount of one tick times one lot. Fee rates are parts
    per million of the quote amount; a negative maker rate is a rebate; `fee_tiers` are the (maker,
    taker) rates of tiers 1, 2, ... A bound or rate of 0 is none. `tick_table` holds pairs
    (from_price_ticks, step_ticks), rising, the first from 0: from there on a price is a multiple of
    the step; an empty one allows every tick. A changed `base_price_ticks` becomes the reference of
    volatility bounds, collar and auctions.

    A fill `dynamic_ppm` or more from the last price, `closing_dynamic_ppm` at the end of the
    closing auction, or `static_ppm` or more from the last auction's price, is interrupted by an
    auction of `volatility_auction_ns`. An auction with a set end ends up to `random_end_ns` later.
    No buy order may be priced more than `collar_ppm` above the reference, no sell order below.
    """

    instrument: int
    base_asset: int
    quote_asset: int
    base_units_per_lot: int
    quote_units_per_tick_lot: int
    instrument_class: int
    quantity_lots_max: int
    price_ticks_low: int = 0
    price_ticks_high: int = 0
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    tick_table: tuple[tuple[int, int], ...] = ()
    base_price_ticks: int = 0
    fee_tiers: tuple[tuple[int, int], ...] = ()
    notional_units_max: int = 0
    collar_ppm: int = 0
    dynamic_ppm: int = 0
    closing_dynamic_ppm: int = 0
    static_ppm: int = 0
    volatility_auction_ns: int = 0
    random_end_ns: int = 0
    allocation: Allocation = Allocation.PRICE_TIME


class SetPhase(Command, frozen=True, tag=2):
    """Set an instrument's phase; one decided before the decision in force is refused.

    `decided_at_ns` (Unix time) orders decisions that arrive late or twice; 0 is taken at any time.
    An auction with `ends_at_ns` ends by itself: the opening and volatility auction into continuous
    trading, the closing auction into the close.
    """

    instrument: int
    phase: Phase
    decided_at_ns: int = 0
    ends_at_ns: int = 0


class OpenAccount(Command, frozen=True, tag=3):
    """Open an account under an opaque holder number; repeating it unchanged changes nothing."""

    account: int
    holder: int
    kind: AccountKind = AccountKind.MEMBER


class SetEligibility(Command, frozen=True, tag=4):
    """Set what a holder may trade; a restriction cancels the resting orders that it forbids.

    `classes` is a bit set of `InstrumentClass`; `version` must rise per holder.
    """

    holder: int
    version: int
    classes: int
    frozen: bool = False


class Credit(Command, frozen=True, tag=5):
    """Add confirmed units to an account; idempotent by `reference`."""

    account: int
    asset: int
    amount_units: int
    reference: str


class Charge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a debit takes besides, told as a `Debited` under `<reference of the debit>:<name>`."""

    name: str
    asset: int
    amount_units: int


class Debit(Command, frozen=True, tag=6):
    """Take available units from an account, and its charges with them or nothing at all.

    Idempotent by `reference`.
    """

    account: int
    asset: int
    amount_units: int
    reference: str
    charges: tuple[Charge, ...] = ()

    @property
    def takings(self) -> "tuple[Debit | Charge, ...]":
        """The debit itself and its charges."""
        return (self, *self.charges)


class OrderTerms(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What most orders leave out; 0 and "" are none.

    `display_lots` makes an iceberg: so much is seen at a time. `minimum_lots` must trade at once.
    `cash_units` bounds what a market buy spends, fees included. `tag` groups orders (`CancelAll`).
    `pair` is the client order id of a waiting stop order: when one of the two trades or ends, the
    other is cancelled.
    """

    stop_price_ticks: int = 0
    trail_ticks: int = 0
    display_lots: int = 0
    minimum_lots: int = 0
    cash_units: int = 0
    expires_at_ns: int = 0
    tag: str = ""
    pair: str = ""


class PlaceOrder(Command, frozen=True, tag=7):
    """Place an order, idempotent by account and client order id.

    Kinds that find their own price have `price_ticks` 0.
    """

    account: int
    client_order_id: str
    instrument: int
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    price_ticks: int
    quantity_lots: int
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_NEWEST
    medium: Medium = Medium.REST
    terms: OrderTerms | None = None


class AmendOrder(Command, frozen=True, tag=8):
    """Change price or open quantity of an order; of one that waits for its stop also that.

    `quantity_lots` is the new open (unfilled) quantity; a `stop_price_ticks` of 0 leaves the stop.
    Priority is kept only when the price stays and the quantity falls. An amend that would trade at
    once trades as a taker.
    """

    account: int
    order_id: int
    price_ticks: int
    quantity_lots: int
    stop_price_ticks: int = 0


class CancelOrder(Command, frozen=True, tag=9):
    """Cancel an open order, named by `order_id` or, when that is 0, by its client order id."""

    account: int
    order_id: int
    client_order_id: str = ""


class CancelAll(Command, frozen=True, tag=10):
    """Cancel the open orders of an account, or of all when `account` is 0.

    `instrument`, `side` and `tag` narrow it down; 0 and "" are any.
    """

    account: int
    instrument: int = 0
    side: int = 0
    tag: str = ""


class BreakerStage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stage of a circuit breaker.

    It trips when the index stands `fall_ppm` below its base, and `further_ppm` below where the
    stage before tripped. Then all trading halts for `halt_ns` and begins again with an auction of
    `auction_ns`, or, when `closes`, ends.
    """

    fall_ppm: int
    further_ppm: int
    halt_ns: int
    auction_ns: int
    closes: bool = False


class DefineSegment(Command, frozen=True, tag=11):
    """Create a segment of the market or change its rules; an instrument is in one at the most.

    The index is the sum of weight times reference price in ticks over `constituents` (instrument,
    weight). A stage trips when its fall has lasted `hold_ns`; one that does not close the market
    not within `quiet_ns` of the session's end.
    """

    segment: int
    constituents: tuple[tuple[int, int], ...]
    stages: tuple[BreakerStage, ...]
    hold_ns: int
    quiet_ns: int


class BeginSession(Command, frozen=True, tag=12):
    """Begin a segment's day: the index of now is the base of its breaker, no stage has tripped.

    Repeating it with the same end changes nothing.
    """

    segment: int
    closes_at_ns: int


class SetFeeTier(Command, frozen=True, tag=13):
    """Put a holder into a fee tier; 0 is that of the definition itself."""

    holder: int
    tier: int


class SetKillSwitch(Command, frozen=True, tag=14):
    """Stop an account or an instrument, one of the two: cancel its orders and refuse new ones."""

    account: int
    instrument: int
    engaged: bool


class SetHeartbeat(Command, frozen=True, tag=15):
    """Cancel all orders of an account unless this comes again in time; a timeout of 0 ends it."""

    account: int
    timeout_ns: int


class SplitHoldings(Command, frozen=True, tag=16):
    """Multiply all holdings of an asset by numerator / denominator, rounding down.

    Idempotent by `reference`; needs an asset that no order offers or asks for.
    """

    asset: int
    numerator: int
    denominator: int
    reference: str


class Transfer(Command, frozen=True, tag=17):
    """Move available units between two accounts; idempotent by `reference`."""

    from_account: int
    to_account: int
    asset: int
    amount_units: int
    reference: str


class Convert(Command, frozen=True, tag=18):
    """Exchange two assets between an account and a provider of currency (a mirror account).

    Idempotent by `reference`.
    """

    account: int
    provider: int
    sold_asset: int
    sold_units: int
    bought_asset: int
    bought_units: int
    reference: str


class AllocateCash(Command, frozen=True, tag=19):
    """One of the two steps that move units to another engine: out of here, or (`inward`) into here.

    Each is idempotent by `reference`; `segment` is the other side.
    """

    account: int
    asset: int
    amount_units: int
    segment: int
    inward: bool
    reference: str


class HoldRoute(Command, frozen=True, tag=20):
    """Hold what a quantity sent to a partner exchange may cost, until it is filled or released.

    With an `order_id` the quantity leaves that order, else it is the account's own. The fee of its
    external fills is at most `fee_ppm`. Idempotent by `reference`, which names the route.
    """

    account: int
    order_id: int
    instrument: int
    side: Side
    price_ticks: int
    quantity_lots: int
    fee_ppm: int
    reference: str


class ReleaseRoute(Command, frozen=True, tag=21):
    """Give back what a route holds for so many lots, 0 being all; idempotent by `reference`."""

    route: str
    quantity_lots: int
    reference: str


class FillRoute(Command, frozen=True, tag=22):
    """Record a partner's fill of a route: a trade between its account and a mirror account.

    Idempotent by `reference`, the partner's own number of the fill.
    """

    route: str
    mirror: int
    price_ticks: int
    quantity_lots: int
    fee_units: int
    reference: str


class CompensateFill(Command, frozen=True, tag=23):
    """Undo an error trade: the contrary trade at its price, without fees; both stay visible.

    A fill is undone once. Idempotent by `reference`.
    """

    fill_id: int
    instrument: int
    buyer: int
    seller: int
    price_ticks: int
    quantity_lots: int
    reference: str


class Advance(Command, frozen=True, tag=24):
    """Do what is due at this command's time. The sequencer's own: no client may send it.

    `draw` (0 to 2**32 - 1) decides how much later an auction ends that is due to end now.
    """

    draw: int


Referenced: TypeAlias = (
    Credit
    | Debit
    | SplitHoldings
    | Transfer
    | Convert
    | AllocateCash
    | HoldRoute
    | ReleaseRoute
    | FillRoute
    | CompensateFill
)

AnyCommand: TypeAlias = (
    DefineInstrument
    | SetPhase
    | OpenAccount
    | SetEligibility
    | Credit
    | Debit
    | PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAll
    | DefineSegment
    | BeginSession
    | SetFeeTier
    | SetKillSwitch
    | SetHeartbeat
    | SplitHoldings
    | Transfer
    | Convert
    | AllocateCash
    | HoldRoute
    | ReleaseRoute
    | FillRoute
    | CompensateFill
    | Advance
)


class Sequenced(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command with its place and time in the one order of the market; what the journal keeps."""

    sequence: int
    time_ns: int
    command: AnyCommand

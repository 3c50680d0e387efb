"""What the trading resources take and give: the one definition behind decoding and OpenAPI.

Ids are strings, for they may pass 2**53; prices, quantities and amounts are decimal strings.
"""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.api.pages import PageQuery
from exchange.api.times import Moment, moment_ns
from matching.protocol.units import CLIENT_ORDER_ID_PATTERN, TAG_PATTERN

SideName = Literal["buy", "sell"]
KindName = Literal[
    "limit",
    "market",
    "stop",
    "stop_limit",
    "trailing_stop",
    "conditional_limit",
    "best_limit",
    "top_priority_limit",
    "midpoint",
]
TimeInForceName = Literal["gtc", "ioc", "fok", "day", "gtd", "at_the_open", "at_the_close"]
PreventionName = Literal["cancel_newest", "cancel_oldest", "cancel_both", "reduce_both"]
StateName = Literal["open", "waiting", "filled", "cancelled"]
FillKindName = Literal["continuous", "auction", "midpoint", "external", "compensating"]
HEARTBEAT_S_MAX = 86_400
DecimalString = Annotated[str, msgspec.Meta(max_length=40, examples=["100000", "1.25"])]
ClientOrderId = Annotated[str, msgspec.Meta(pattern=CLIENT_ORDER_ID_PATTERN)]
Tag = Annotated[str, msgspec.Meta(pattern=TAG_PATTERN)]


class PlaceOrder(Strict, frozen=True):
    """An order to place. Sending the same again under its client_order_id places nothing twice.

    A limit, stop_limit, conditional_limit or midpoint order has a `price`, no other kind.
    `quantity` is left out only by a market order to buy for an `amount` of the quote asset, fees
    included. The default of `time_in_force` is `gtd` with `expires_at`, `ioc` for market, `day` for
    conditional_limit, else `gtc`.
    """

    client_order_id: ClientOrderId
    instrument: str
    side: SideName
    quantity: DecimalString | None = None
    kind: KindName = "limit"
    price: DecimalString | None = None
    time_in_force: TimeInForceName | None = None
    post_only: bool = False
    self_trade_prevention: PreventionName = "cancel_newest"
    amount: DecimalString | None = None
    stop_price: DecimalString | None = None
    trail: DecimalString | None = None
    display_quantity: DecimalString | None = None
    minimum_quantity: DecimalString | None = None
    expires_at: Moment | None = None
    tag: Tag = ""


class PlacePair(Strict, frozen=True):
    """Two orders of which one at most is carried out: a stop order, and a limit order beside it.

    They agree in instrument, side and quantity. When one trades, is triggered or ends, the other is
    cancelled; both are placed, or neither is.
    """

    stop: PlaceOrder
    limit: PlaceOrder


class AmendOrder(Strict, frozen=True):
    """A new price, for an order that has a limit, and a new open (unfilled) quantity.

    A stop order that waits may get a new `stop_price` besides. Priority is kept only when prices
    stay and the quantity falls.
    """

    quantity: DecimalString
    price: DecimalString | None = None
    stop_price: DecimalString | None = None


class SetHeartbeat(Strict, frozen=True):
    """In how many seconds all your orders are cancelled unless this is sent again; 0 ends it."""

    timeout_s: Annotated[int, msgspec.Meta(ge=0, le=HEARTBEAT_S_MAX)]


class EngageKillSwitch(Strict, frozen=True):
    """Your word that all your orders are to be cancelled and new ones refused."""

    engaged: Literal[True]


class SpanQuery(PageQuery, frozen=True, rename={"since": "from", "until": "to"}):
    """Of one instrument, and from one time (included) to another (not included)."""

    instrument: str | None = None
    since: Moment | None = None
    until: Moment | None = None

    def span_ns(self) -> tuple[int | None, int | None]:
        """Return both ends in nanoseconds since 1970."""
        since, until = self.since, self.until
        return (moment_ns(since) if since else None), (moment_ns(until) if until else None)


class OrdersQuery(SpanQuery, frozen=True):
    state: Literal["open", "closed"] | None = None


class FillsQuery(SpanQuery, frozen=True):
    order_id: Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,17}$")] | None = None


class CancelQuery(Strict, frozen=True):
    """All open orders, or those of an instrument, a side, a tag."""

    instrument: str | None = None
    side: SideName | None = None
    tag: Tag = ""


class Order(msgspec.Struct, frozen=True):
    """An order as last recorded; `filled_amount` and `fee` are in the quote asset.

    While it waits for its stop price or the closing auction it is `waiting`. `acting_kind` is what
    it acts as now: a stop order that was triggered is market or limit. `stop_price` is where it
    stands, that of a trailing stop too. `quantity` is null when it was placed for an `amount`.
    `pair` is the client_order_id of the stop order it was paired with.
    """

    order_id: str
    client_order_id: str
    instrument: str
    side: SideName
    kind: KindName
    acting_kind: KindName
    time_in_force: TimeInForceName
    price: str | None
    stop_price: str | None
    trail: str | None
    quantity: str | None
    display_quantity: str | None
    minimum_quantity: str | None
    amount: str | None
    filled_quantity: str
    remaining_quantity: str
    filled_amount: str
    fee: str
    post_only: bool
    self_trade_prevention: PreventionName
    expires_at: str | None
    tag: str
    pair: str | None
    state: StateName
    cancel_reason: str | None
    accepted_at: str
    updated_at: str


class Orders(msgspec.Struct, frozen=True):
    orders: list[Order]
    next_cursor: str | None


class OrderPair(msgspec.Struct, frozen=True):
    """Both orders right after they were placed; one is cancelled if the other traded at once."""

    stop: Order
    limit: Order


class AmendedOrder(msgspec.Struct, frozen=True):
    """An order right after an amendment, and whether it kept its place in the queue."""

    order: Order
    priority_kept: bool


class CancelledOrder(msgspec.Struct, frozen=True):
    order_id: str
    instrument: str
    state: StateName
    cancelled_quantity: str
    cancelled_at: str


class CancelledOrders(msgspec.Struct, frozen=True):
    order_ids: list[str]


class Heartbeat(msgspec.Struct, frozen=True):
    """When all open orders are cancelled unless the heartbeat is sent again; null when it ended."""

    due_at: str | None


class KillSwitch(msgspec.Struct, frozen=True):
    """Whether your orders are stopped; only officers of the venue start them again."""

    engaged: bool
    changed_at: str | None


class KillSwitchEngaged(msgspec.Struct, frozen=True):
    """Your orders are stopped; these were cancelled."""

    engaged: Literal[True]
    order_ids: list[str]


class Fill(msgspec.Struct, frozen=True):
    """A trade of yours: base moved one way, `amount` the other; a negative `fee` is a rebate.

    In an auction, or between midpoint orders, the younger order is the taker. An `external` fill
    was made at a partner exchange, a `compensating` one undoes an error trade; they may have no
    `order_id`.
    `settled` says that title has passed on chain, with the batch that covers `sequence`.
    """

    fill_id: str
    order_id: str | None
    instrument: str
    side: SideName
    kind: FillKindName
    liquidity: Literal["maker", "taker"]
    price: str
    quantity: str
    amount: str
    fee: str
    fee_asset: str
    filled_at: str
    sequence: str
    settled: bool


class Fills(msgspec.Struct, frozen=True):
    fills: list[Fill]
    next_cursor: str | None


class MarketFees(msgspec.Struct, frozen=True):
    """Your rates in one market, in parts per million; a negative one is paid to you as maker."""

    symbol: str
    maker_fee_ppm: int
    taker_fee_ppm: int


class NextTier(msgspec.Struct, frozen=True):
    tier: int
    volume: str


class FeeTierStanding(msgspec.Struct, frozen=True):
    """Your fee tier today, from what you traded on the 30 trade dates before, on both sides.

    Volumes are in KRW; `next_tier` is null at the top. An order that rests keeps the rate as maker
    that it came under.
    """

    tier: int
    volume: str
    markets: list[MarketFees]
    next_tier: NextTier | None


class Balance(msgspec.Struct, frozen=True):
    """What is free to use and what open orders hold."""

    asset: str
    available: str
    held: str


class Balances(msgspec.Struct, frozen=True):
    """All balances of the account after the command numbered `sequence`."""

    balances: list[Balance]
    sequence: str

"""What the trading resources take and give: the one definition behind decoding and OpenAPI.

Ids are strings, for they may pass 2**53; prices, quantities and amounts are decimal strings.
"""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.api.pages import PageQuery
from exchange.api.times import Moment, moment_ns
from matching.protocol.units import CLIENT_ORDER_ID_PATTERN

SideName = Literal["buy", "sell"]
KindName = Literal["limit", "market"]
TimeInForceName = Literal["gtc", "ioc", "fok"]
PreventionName = Literal["cancel_newest", "cancel_oldest", "cancel_both", "reduce_both"]
StateName = Literal["open", "filled", "cancelled"]
DecimalString = Annotated[str, msgspec.Meta(max_length=40, examples=["100000", "1.25"])]
ClientOrderId = Annotated[str, msgspec.Meta(pattern=CLIENT_ORDER_ID_PATTERN)]


class PlaceOrder(Strict, frozen=True):
    """An order to place.

    A market order has no price and is `ioc` (the default then) or `fok`. Sending the same again
    under the same client_order_id places nothing twice.
    """

    client_order_id: ClientOrderId
    instrument: str
    side: SideName
    quantity: DecimalString
    kind: KindName = "limit"
    price: DecimalString | None = None
    time_in_force: TimeInForceName | None = None
    post_only: bool = False
    self_trade_prevention: PreventionName = "cancel_newest"


class AmendOrder(Strict, frozen=True):
    """A new price and a new open (unfilled) quantity, both.

    Priority is kept only when the price stays and the quantity falls.
    """

    price: DecimalString
    quantity: DecimalString


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
    instrument: str | None = None


class Order(msgspec.Struct, frozen=True):
    """An order as last recorded; `filled_amount` and `fee` are in the quote asset."""

    order_id: str
    client_order_id: str
    instrument: str
    side: SideName
    kind: KindName
    time_in_force: TimeInForceName
    price: str | None
    quantity: str
    filled_quantity: str
    remaining_quantity: str
    filled_amount: str
    fee: str
    post_only: bool
    self_trade_prevention: PreventionName
    state: StateName
    cancel_reason: str | None
    accepted_at: str
    updated_at: str


class Orders(msgspec.Struct, frozen=True):
    orders: list[Order]
    next_cursor: str | None


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


class Fill(msgspec.Struct, frozen=True):
    """A trade of yours: base moved one way, `amount` the other; a negative `fee` is a rebate.

    `settled` says that title has passed on chain, with the batch that covers `sequence`.
    """

    fill_id: str
    order_id: str
    instrument: str
    side: SideName
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


class Balance(msgspec.Struct, frozen=True):
    """What is free to use and what open orders hold."""

    asset: str
    available: str
    held: str


class Balances(msgspec.Struct, frozen=True):
    """All balances of the account after the command numbered `sequence`."""

    balances: list[Balance]
    sequence: str

"""Orders that come to the market: they take, and what is left rests or ends."""

from matching.protocol.events import OrderParked
from matching.protocol.units import (
    UNITS_MAX,
    CancelReason,
    OrderKind,
    TimeInForce,
)
from tests.matching.oracle.book import end, tranche
from tests.matching.oracle.holdings import available, order_hold
from tests.matching.oracle.phases import interrupt
from tests.matching.oracle.records import CONTINUOUS, STOPS, Market, Order, Place, State
from tests.matching.oracle.taking import Taking, take


def park(state: State, market: Market, order: Order) -> None:
    """Let an order wait outside the book."""
    order.place = Place.PARKED
    market.orders.append(order)
    stop = order.stop if order.kind in STOPS else 0
    state.events.append(OrderParked(order.number, order.account.number, market.number, stop))


def arrive(this: Taking, *, triggered: bool = False) -> None:
    """Take, in a continuous phase, then rest or end; a trade kept back interrupts the market."""
    if this.market.phase in CONTINUOUS:
        take(this)
    if not this.order.closed:
        _leave(this, triggered)
    if this.passed is not None:
        interrupt(this.state, this.market, *this.passed)


def _leave(this: Taking, triggered: bool) -> None:
    """Rest what is left of an order, or end it."""
    state, market, order = this.state, this.market, this.order
    at_once = order.accepted.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
    unpriced = order.kind is OrderKind.MARKET
    if this.passed is not None and (at_once or (unpriced and not triggered)):
        end(state, market, order, CancelReason.INTERRUPTED)
    elif at_once or (unpriced and this.passed is None and market.phase in CONTINUOUS):
        end(state, market, order, CancelReason.IMMEDIATE)
    elif triggered and not _can_hold(this):
        end(state, market, order, CancelReason.INSUFFICIENT)
    else:
        rest(market, order)


def _can_hold(this: Taking) -> bool:
    asset, units = order_hold(this.market, this.order)
    return units <= min(available(this.state, this.order.account, asset), UNITS_MAX)


def rest(market: Market, order: Order) -> None:
    """Stand behind all others of its price."""
    order.shown = tranche(order)
    order.place = {
        OrderKind.MARKET: Place.ANY_PRICE,
        OrderKind.MIDPOINT: Place.MIDPOINTS,
    }.get(order.kind, Place.LEVELS)
    market.orders.append(order)

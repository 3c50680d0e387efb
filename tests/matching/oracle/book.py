"""One instrument's orders: the best level, who stands where, and taking an order out."""

from collections.abc import Iterable

from matching.protocol.events import OrderCancelled, OrderReplenished
from matching.protocol.units import (
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    CancelReason,
    Interruption,
    Side,
    price_step_ticks,
)
from tests.matching.oracle.holdings import partner
from tests.matching.oracle.records import Market, Order, Place, State


def opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def standing(market: Market, side: Side, place: Place) -> list[Order]:
    """Return the orders of a side that stand at this place, by time priority."""
    return [order for order in market.orders if order.side is side and order.place is place]


def best(market: Market, side: Side) -> int:
    """Return the best level's price; 0 without a level."""
    prices = [order.price for order in standing(market, side, Place.LEVELS)]
    if not prices:
        return 0
    return max(prices) if side is Side.BUY else min(prices)


def level(market: Market, side: Side, price: int) -> list[Order]:
    return [order for order in standing(market, side, Place.LEVELS) if order.price == price]


def middle(market: Market) -> int:
    """Return the price in the middle of the best levels, rounded down; 0 without two levels."""
    bid, ask = best(market, Side.BUY), best(market, Side.SELL)
    return (bid + ask) // 2 if bid and ask else 0


def midpoints_meeting(market: Market, side: Side, price: int) -> list[Order]:
    """Return the midpoint orders that a price meets: the best limit first, then by time."""
    queue = standing(market, side, Place.MIDPOINTS)
    sign = -1 if side is Side.BUY else 1
    met = [order for order in queue if meets(side, order.price, price)]
    return sorted(met, key=lambda order: sign * order.price)


def meets(side: Side, limit: int, price: int) -> bool:
    """Tell whether an order with this limit (0: none) may trade at a price."""
    if not limit:
        return True
    return price <= limit if side is Side.BUY else price >= limit


def band(market: Market) -> tuple[int, int]:
    definition = market.definition
    return definition.price_ticks_low or 1, definition.price_ticks_high or PRICE_TICKS_MAX


def on_step(market: Market, price: int) -> bool:
    return price % price_step_ticks(market.definition.tick_table, price) == 0


def on_step_below(market: Market, price: int) -> int:
    """Return the price rounded down to the step that holds there."""
    return price - price % price_step_ticks(market.definition.tick_table, price)


def in_band(market: Market, price: int) -> bool:
    low, high = band(market)
    return low <= price <= high


def passed_bound(
    market: Market, price: int, reference: int, dynamic_ppm: int
) -> tuple[Interruption, int] | None:
    """Return the volatility bound that a price is beyond, and what it is around."""
    if _beyond(price, market.static, market.definition.static_ppm):
        return Interruption.STATIC, market.static
    if _beyond(price, reference, dynamic_ppm):
        return Interruption.DYNAMIC, reference
    return None


def _beyond(price: int, around: int, ppm: int) -> bool:
    if not around or not ppm:
        return False
    return abs(price - around) * PARTS_PER_MILLION >= around * ppm


def by_number(orders: Iterable[Order]) -> list[Order]:
    return sorted(orders, key=lambda order: order.number)


def replenish(state: State, market: Market, order: Order) -> None:
    """Show an iceberg's next tranche, behind all others, when what it showed is used up."""
    if not order.lots or order.shown:
        return
    terms = order.accepted.terms
    assert terms is not None and terms.display_lots
    order.shown = min(terms.display_lots, order.lots)
    market.orders.remove(order)
    market.orders.append(order)
    state.events.append(
        OrderReplenished(order.number, order.account.number, market.number, order.shown)
    )


def tranche(order: Order) -> int:
    """Return what an order shows when it comes to its place."""
    terms = order.accepted.terms
    display = terms.display_lots if terms is not None else 0
    return min(display, order.lots) if display else order.lots


def end(state: State, market: Market, order: Order, reason: CancelReason) -> None:
    """Close an order with what is open of it, and the other order of its pair after it."""
    if order in market.orders:
        market.orders.remove(order)
    order.closed = True
    state.events.append(
        OrderCancelled(order.number, order.account.number, market.number, reason, order.lots)
    )
    end_pair(state, market, order)


def end_pair(state: State, market: Market, order: Order) -> None:
    """Cancel the other order of a pair, if there is one still."""
    other = partner(market, order)
    order.pair = 0
    if other is not None:
        other.pair = 0
        end(state, market, other, CancelReason.PAIRED)


def end_each(state: State, market: Market, orders: Iterable[Order], reason: CancelReason) -> None:
    """Close these orders by number; one that its pair's end took away already is passed over."""
    for order in by_number(orders):
        if order in market.orders:
            end(state, market, order, reason)

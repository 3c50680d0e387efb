"""What follows in a continuous phase: stops that the last price meets, midpoints that meet."""

from matching.protocol.events import OrderActivated
from matching.protocol.units import FillKind, OrderKind, Side
from tests.matching.oracle.arriving import arrive
from tests.matching.oracle.book import (
    band,
    by_number,
    end_pair,
    middle,
    midpoints_meeting,
    passed_bound,
)
from tests.matching.oracle.fills import fill, prevent
from tests.matching.oracle.holdings import rates
from tests.matching.oracle.records import CONTINUOUS, Market, Order, Place, State
from tests.matching.oracle.taking import begin


def follow_up(state: State) -> None:
    """Trigger stops and let midpoints meet, until nothing more happens."""
    for market in sorted(state.markets, key=lambda market: market.number):
        while market.phase in CONTINUOUS:
            stops = _trigger_stops(state, market)
            if not _meet_midpoints(state, market) and not stops:
                break


def _trigger_stops(state: State, market: Market) -> bool:
    """Trigger all stops that the reference meets, by number; an interruption ends it."""
    waiting = [order for order in market.orders if order.waits_for_stop]
    for order in waiting:
        if order.kind is OrderKind.TRAILING_STOP:
            _trail(market, order)
    met = by_number(order for order in waiting if market.reference and _met(market, order))
    for order in met:
        if not order.closed and market.phase in CONTINUOUS:
            _trigger(state, market, order)
    return bool(met)


def _met(market: Market, order: Order) -> bool:
    if order.side is Side.BUY:
        return market.reference >= order.stop
    return market.reference <= order.stop


def _trail(market: Market, order: Order) -> None:
    assert order.accepted.terms is not None
    distance = order.accepted.terms.trail_ticks
    if order.side is Side.BUY:
        order.stop = min(order.stop, market.reference + distance)
    else:
        order.stop = max(order.stop, market.reference - distance)


def _trigger(state: State, market: Market, order: Order) -> None:
    """Let a stop take like an order that arrives, at the rates and up to the cap of now."""
    limited = order.kind is OrderKind.STOP_LIMIT
    order.kind = OrderKind.LIMIT if limited else OrderKind.MARKET
    market.orders.remove(order)
    state.events.append(
        OrderActivated(order.number, order.account.number, market.number, order.kind, order.price)
    )
    end_pair(state, market, order)
    order.maker_ppm, taker_ppm = rates(market, order.account.holder)
    order.hold_ppm = max(order.maker_ppm, taker_ppm, 0)
    order.cap = 0 if order.price or order.side is Side.SELL else band(market)[1]
    order.place = Place.LEVELS
    arrive(begin(state, market, order, by_cash=order.side is Side.BUY), triggered=True)


def _meet_midpoints(state: State, market: Market) -> bool:
    """Let the first midpoint orders of both sides meet in the middle, while there are two."""
    happened = False
    while market.phase in CONTINUOUS:
        price = middle(market)
        bound = passed_bound(market, price, market.reference, market.definition.dynamic_ppm)
        buys = midpoints_meeting(market, Side.BUY, price)
        sells = midpoints_meeting(market, Side.SELL, price)
        if not price or bound or not buys or not sells:
            break
        happened = True
        older, younger = by_number((buys[0], sells[0]))
        lots = min(older.lots, younger.lots)
        if older.account.holder is younger.account.holder:
            prevent(state, market, older, younger, lots)
            continue
        taker_ppm = min(rates(market, younger.account.holder)[1], younger.hold_ppm)
        ppm = (older.maker_ppm, taker_ppm)
        fill(state, market, older, younger, price, lots, ppm, FillKind.MIDPOINT)
    return happened

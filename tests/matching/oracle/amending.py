"""Amending an order: what keeps its place, what loses it."""

from dataclasses import replace

from matching.protocol.commands import AmendOrder
from matching.protocol.events import OrderAmended
from matching.protocol.refusals import Refusal
from matching.protocol.units import ICEBERG_PARTS_MAX, UNITS_MAX, OrderKind, Side
from tests.matching.oracle import checks
from tests.matching.oracle.arriving import arrive
from tests.matching.oracle.book import band
from tests.matching.oracle.cancelling import find_order
from tests.matching.oracle.holdings import available, hold_of, notional, order_hold, rates
from tests.matching.oracle.records import CONTINUOUS, Market, Order, Place, State, must
from tests.matching.oracle.taking import begin, would_meet


def amend_order(state: State, command: AmendOrder) -> None:
    market, order = find_order(state, command.account, command.order_id)
    lots, stop = command.quantity_lots, command.stop_price_ticks or order.stop
    keeps = command.price_ticks == order.price and stop == order.stop and lots < order.lots
    _check(market, order, command, stop)
    if keeps:
        order.lots = lots
        order.shown = min(order.shown, lots)
        _tell(state, market, order, kept=True)
        return
    _check_funds(state, market, order, command)
    order.maker_ppm, taker_ppm = rates(market, order.account.holder)
    order.hold_ppm = max(order.maker_ppm, taker_ppm, 0)
    order.price, order.lots, order.stop = command.price_ticks, lots, stop
    order.cap = _cap(market, order, command.price_ticks)
    market.orders.remove(order)
    _tell(state, market, order, kept=False)
    if order.place is Place.PARKED:
        market.orders.append(order)
    else:
        arrive(begin(state, market, order, by_cash=False))


def _check(market: Market, order: Order, command: AmendOrder, stop: int) -> None:
    price, lots = command.price_ticks, command.quantity_lots
    limited = order.price > 0
    may_stop = order.waits_for_stop and order.kind is not OrderKind.TRAILING_STOP
    must(0 <= command.stop_price_ticks <= UNITS_MAX, Refusal.MALFORMED)
    must(command.stop_price_ticks == 0 or may_stop, Refusal.MALFORMED)
    must(not order.account.killed and not market.killed, Refusal.KILL_SWITCH)
    checks.check_open(market)
    must(not order.pair, Refusal.PAIRED)
    must(limited or price == 0, Refusal.PRICE_INVALID)
    if limited:
        checks.check_price(market, price)
    if command.stop_price_ticks:
        checks.check_price(market, stop)
    if limited:
        waiting = stop if order.waits_for_stop else market.reference
        kind = order.kind if order.waits_for_stop else OrderKind.LIMIT
        checks.check_collar(market, kind, order.side, price, waiting)
    checks.check_quantity(market, lots)
    shown = order.accepted.terms.display_lots if order.accepted.terms else 0
    must(not shown or lots <= shown * ICEBERG_PARTS_MAX, Refusal.QUANTITY_TOO_LARGE)
    if command.stop_price_ticks:
        checks.check_not_met(market, order.side, stop)
    must((price, lots, stop) != (order.price, order.lots, order.stop), Refusal.UNCHANGED)


def _cap(market: Market, order: Order, price: int) -> int:
    return band(market)[1] if not price and order.side is Side.BUY else 0


def _check_funds(state: State, market: Market, order: Order, command: AmendOrder) -> None:
    """Refuse what the account cannot hold, its present hold included, or what must not trade."""
    price, lots = command.price_ticks, command.quantity_lots
    cap = _cap(market, order, price)
    ppm = max(*rates(market, order.account.holder), 0)
    asset, units = hold_of(market, order.side, price or cap, lots, ppm)
    value = notional(market, price or cap, lots)
    must(max(value, units) <= UNITS_MAX, Refusal.AMOUNT_OVERFLOW)
    stop = (command.stop_price_ticks or order.stop) if order.waits_for_stop else 0
    checks.check_value(market, checks.worth(market, price, stop, lots))
    free = available(state, order.account, asset) + order_hold(market, order)[1]
    must(units <= free, Refusal.INSUFFICIENT_BALANCE)
    if order.accepted.post_only and market.phase in CONTINUOUS:
        without = replace(market, orders=[each for each in market.orders if each is not order])
        amended = replace(order, price=price)
        meets = would_meet(begin(state, without, amended, by_cash=False))
        must(not meets, Refusal.POST_ONLY_WOULD_TRADE)


def _tell(state: State, market: Market, order: Order, kept: bool) -> None:
    stop = order.stop if order.waits_for_stop else 0
    state.events.append(
        OrderAmended(
            order.number, order.account.number, market.number, order.price, order.lots, kept, stop
        )
    )

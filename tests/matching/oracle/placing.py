"""Placing an order."""

from matching.protocol.commands import PlaceOrder
from matching.protocol.events import OrderAccepted, OrderRepeated
from matching.protocol.refusals import Refusal
from matching.protocol.units import UNITS_MAX, Phase, Side, TimeInForce
from tests.matching.oracle import checks
from tests.matching.oracle.arriving import arrive, park
from tests.matching.oracle.book import band, end_pair
from tests.matching.oracle.holdings import (
    available,
    find_account,
    find_market,
    notional,
    open_orders,
    order_hold,
    rates,
)
from tests.matching.oracle.records import (
    CONTINUOUS,
    STOPS,
    Account,
    Market,
    Named,
    Order,
    State,
    must,
)
from tests.matching.oracle.taking import Taking, begin, fillable, would_meet

NS_PER_DAY = 86_400_000_000_000
SEOUL_NS = 9 * 3_600_000_000_000


def day_of(time_ns: int) -> int:
    """Return the trade date in Seoul, in days since the epoch."""
    return (time_ns + SEOUL_NS) // NS_PER_DAY


def day_end_ns(day: int) -> int:
    return (day + 1) * NS_PER_DAY - SEOUL_NS


def place_order(state: State, command: PlaceOrder) -> None:
    account = find_account(state, command.account)
    known = find_name(state, account, command.client_order_id)
    if known is not None:
        _repeat(state, known, command)
        return
    market = find_market(state, command.instrument)
    price, stop = _check(state, account, market, command)
    order = _order(state, account, market, command, price, stop)
    other = _find_pair(state, account, market, command)
    _check_funds(state, market, order, other)
    this = begin(state, market, order, by_cash=order.kind is checks.MARKET and _buys(order))
    if market.phase in CONTINUOUS:
        _check_taking(this)
    state.names.append(Named(order.accepted, day_of(state.now_ns)))
    state.events.append(order.accepted)
    if other is not None:
        order.pair, other.pair = other.number, order.number
        if market.phase in CONTINUOUS and would_meet(this):
            end_pair(state, market, order)
    if order.kind in STOPS or _waits_for_close(market, order):
        park(state, market, order)
    else:
        arrive(this)


def find_name(state: State, account: Account, name: str) -> OrderAccepted | None:
    """Return the order that is known under this client order id.

    It is while the order is open, and for the trade date of the order and the next.
    """
    for named in state.names:
        accepted = named.accepted
        if (accepted.account, accepted.client_order_id) == (account.number, name):
            opened = [order.number for _, order in open_orders(state, account)]
            if named.day >= day_of(state.now_ns) - 1 or accepted.order_id in opened:
                return accepted
    return None


def _repeat(state: State, known: OrderAccepted, command: PlaceOrder) -> None:
    """Answer an order under a known client order id; a limit it found for itself is no content."""
    finds = command.kind in (checks.BEST, checks.TOP) and not command.price_ticks
    price = known.price_ticks if finds else command.price_ticks
    must(_accepted(known.order_id, command, price) == known, Refusal.CLIENT_ORDER_ID_REUSED)
    state.events.append(OrderRepeated(known.order_id, known.account, known.client_order_id))


def _accepted(number: int, command: PlaceOrder, price: int) -> OrderAccepted:
    return OrderAccepted(
        number,
        command.account,
        command.client_order_id,
        command.instrument,
        command.side,
        command.kind,
        command.time_in_force,
        price,
        command.quantity_lots,
        command.post_only,
        command.self_trade_prevention,
        command.medium,
        command.terms,
    )


def _check(state: State, account: Account, market: Market, command: PlaceOrder) -> tuple[int, int]:
    """Refuse an order by all rules but money and whom it meets; return its limit and stop."""
    side, kind, terms = command.side, command.kind, checks.terms_of(command)
    checks.check_form(command)
    checks.check_account(account, market)
    checks.check_open(market)
    checks.check_phase(market, command)
    must(not terms.expires_at_ns or terms.expires_at_ns > state.now_ns, Refusal.EXPIRY_PASSED)
    price = checks.found_price(market, command)
    stop = checks.first_stop(market, command)
    priced = kind in (*checks.PRICED, checks.BEST, checks.TOP)
    if priced:
        checks.check_price(market, price)
    if kind in STOPS:
        checks.check_stop(market, kind, stop)
    if priced:
        checks.check_collar(market, kind, side, price, stop)
    checks.check_quantity(market, command.quantity_lots)
    if kind in STOPS:
        checks.check_not_met(market, side, stop)
    return price, stop


def _order(
    state: State, account: Account, market: Market, command: PlaceOrder, price: int, stop: int
) -> Order:
    maker_ppm, taker_ppm = rates(market, account.holder)
    expires_ns = checks.terms_of(command).expires_at_ns
    if command.time_in_force is TimeInForce.DAY:
        expires_ns = day_end_ns(day_of(state.now_ns))
    capped = not price and command.side is Side.BUY
    return Order(
        _accepted(state.sequence, command, price),
        account,
        command.kind,
        price,
        band(market)[1] if capped else 0,
        command.quantity_lots,
        command.quantity_lots,
        maker_ppm,
        max(maker_ppm, taker_ppm, 0),
        expires_ns,
        stop,
    )


def _find_pair(state: State, account: Account, market: Market, command: PlaceOrder) -> Order | None:
    name = checks.terms_of(command).pair
    if not name:
        return None
    for order in market.orders:
        if (
            order.account is account
            and order.accepted.client_order_id == name
            and order.waits_for_stop
            and not order.pair
            and (order.side, order.lots) == (command.side, command.quantity_lots)
        ):
            return order
    must(False, Refusal.PAIR_UNKNOWN)
    return None


def _check_funds(state: State, market: Market, order: Order, other: Order | None) -> None:
    """Refuse an order that is too large, or that its account cannot hold."""
    at_once = market.phase in CONTINUOUS and not _waits_for_close(market, order)
    terms = order.accepted.terms or checks.NONE
    worth = terms.cash_units or checks.worth(market, order.price, order.stop, order.lots)
    if order.kind is checks.MARKET and at_once and _buys(order):
        checks.check_value(market, worth)
        return
    asset, units = order_hold(market, order)
    value = notional(market, order.price or order.cap, order.lots)
    must(max(value, units) <= UNITS_MAX, Refusal.AMOUNT_OVERFLOW)
    checks.check_value(market, worth)
    covered = order_hold(market, other)[1] if other else 0
    extra = max(0, units - covered)
    must(extra <= available(state, order.account, asset), Refusal.INSUFFICIENT_BALANCE)


def _check_taking(this: Taking) -> None:
    """Refuse an order for what it would meet, or would not meet, at once."""
    accepted = this.order.accepted
    must(not accepted.post_only or not would_meet(this), Refusal.POST_ONLY_WOULD_TRADE)
    minimum = accepted.terms.minimum_lots if accepted.terms else 0
    if accepted.time_in_force is TimeInForce.FOK or minimum:
        lots, short = fillable(this)
        must(not minimum or lots >= minimum, Refusal.MINIMUM_UNFILLABLE)
        if accepted.time_in_force is TimeInForce.FOK:
            must(not short, Refusal.INSUFFICIENT_BALANCE)
            must(lots == this.order.lots, Refusal.FILL_OR_KILL_UNFILLABLE)


def _waits_for_close(market: Market, order: Order) -> bool:
    at_close = order.accepted.time_in_force is TimeInForce.AT_THE_CLOSE
    return at_close and market.phase is not Phase.CLOSING_AUCTION


def _buys(order: Order) -> bool:
    return order.side is Side.BUY

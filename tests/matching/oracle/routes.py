"""Quantities sent to a partner exchange: held here until they are filled there or given back."""

from matching.protocol.commands import FillRoute, HoldRoute, ReleaseRoute
from matching.protocol.events import Filled, RouteFilled, RouteHeld, RouteReleased
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    UNITS_MAX,
    AccountKind,
    CancelReason,
    FillKind,
    Side,
)
from tests.matching.oracle import checks
from tests.matching.oracle.book import end, meets
from tests.matching.oracle.fills import exchange, pay_fee, reduce
from tests.matching.oracle.funds import check_positive, once
from tests.matching.oracle.holdings import (
    available,
    fee,
    find_account,
    find_market,
    hold_of,
    notional,
)
from tests.matching.oracle.records import Account, Market, Order, Place, Route, State, must


@once
def hold_route(state: State, command: HoldRoute) -> None:
    check_positive(command.account, command.instrument)
    must(0 <= command.order_id <= UNITS_MAX, Refusal.MALFORMED)
    must(0 <= command.fee_ppm <= PARTS_PER_MILLION, Refusal.MALFORMED)
    account = find_account(state, command.account)
    market = find_market(state, command.instrument)
    side, price, lots = command.side, command.price_ticks, command.quantity_lots
    checks.check_account(account, market)
    checks.check_open(market)
    checks.check_price(market, price)
    checks.check_quantity(market, lots)
    order = _routed_order(market, account, command) if command.order_id else None
    asset, units = hold_of(market, side, price, lots, command.fee_ppm)
    value = notional(market, price, lots)
    must(max(units, value) <= UNITS_MAX, Refusal.AMOUNT_OVERFLOW)
    checks.check_value(market, value)
    free = available(state, account, asset) + (_freed(market, order, lots) if order else 0)
    must(units <= free, Refusal.INSUFFICIENT_BALANCE)
    if order is not None:
        reduce(state, market, order, lots)
        if not order.lots:
            end(state, market, order, CancelReason.ROUTED)
    state.routes.append(Route(command, lots))
    state.events.append(
        RouteHeld(
            account.number,
            command.order_id,
            market.number,
            side,
            price,
            lots,
            units,
            command.reference,
        )
    )


def _routed_order(market: Market, account: Account, command: HoldRoute) -> Order:
    """Return the order that a route is taken from: one seen whole by all."""
    found = [
        order
        for order in market.orders
        if order.number == command.order_id
        and order.account is account
        and order.side is command.side
        and order.place is Place.LEVELS
        and not order.pair
        and not checks.displays(order.accepted)
    ]
    must(found, Refusal.UNKNOWN_ORDER)
    must(command.quantity_lots <= found[0].lots, Refusal.ROUTE_EXCEEDED)
    return found[0]


def _freed(market: Market, order: Order, lots: int) -> int:
    """Return what an order holds less when it is reduced."""
    side, price, ppm = order.side, order.price, order.hold_ppm
    before = hold_of(market, side, price, order.lots, ppm)[1]
    return before - hold_of(market, side, price, order.lots - lots, ppm)[1]


def find_route(state: State, reference: str) -> Route:
    """Return a route with something out, or refuse the command."""
    found = [route for route in state.routes if route.command.reference == reference]
    must(found, Refusal.UNKNOWN_ROUTE)
    return found[0]


def take_in(state: State, route: Route, lots: int) -> None:
    """Let so many lots of a route be out no longer."""
    route.lots -= lots
    if not route.lots:
        state.routes.remove(route)


@once
def release_route(state: State, command: ReleaseRoute) -> None:
    route = find_route(state, command.route)
    lots = command.quantity_lots or route.lots
    must(0 < lots <= route.lots, Refusal.ROUTE_EXCEEDED)
    take_in(state, route, lots)
    state.events.append(
        RouteReleased(command.route, route.command.account, lots, route.lots, command.reference)
    )


@once
def fill_route(state: State, command: FillRoute) -> None:
    check_positive(command.mirror)
    route = find_route(state, command.route)
    held = route.command
    mirror = find_account(state, command.mirror)
    must(mirror.kind is AccountKind.MIRROR, Refusal.ACCOUNT_MAY_NOT_TRADE)
    price, lots = command.price_ticks, command.quantity_lots
    must(1 <= price <= PRICE_TICKS_MAX, Refusal.PRICE_INVALID)
    must(meets(held.side, held.price_ticks, price), Refusal.ROUTE_EXCEEDED)
    must(lots >= 1, Refusal.QUANTITY_INVALID)
    must(lots <= route.lots, Refusal.ROUTE_EXCEEDED)
    market = find_market(state, held.instrument)
    base, quote = lots * market.definition.base_units_per_lot, notional(market, price, lots)
    must(0 <= command.fee_units <= fee(quote, held.fee_ppm), Refusal.ROUTE_EXCEEDED)
    buys = held.side is Side.BUY
    asset = market.definition.base_asset if buys else market.definition.quote_asset
    must((base if buys else quote) <= available(state, mirror, asset), Refusal.INSUFFICIENT_BALANCE)
    account = find_account(state, held.account)
    buyer, seller = (account, mirror) if buys else (mirror, account)
    exchange(state, market, buyer, seller, base, quote)
    pay_fee(state, market, account, command.fee_units)
    take_in(state, route, lots)
    state.fills += 1
    state.events.append(
        RouteFilled(command.route, account.number, lots, route.lots, command.reference)
    )
    state.events.append(
        Filled(
            state.fills,
            market.number,
            price,
            lots,
            base,
            quote,
            held.side,
            0,
            held.order_id,
            mirror.number,
            account.number,
            0,
            command.fee_units,
            0,
            route.lots,
            FillKind.EXTERNAL,
        )
    )

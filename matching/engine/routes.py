"""Routes: what is held for quantities that went out to a partner exchange, and its fills there."""

from matching.accounts import Account, Route
from matching.book import Book
from matching.engine.followup import follow_up
from matching.engine.references import (
    account_unknown,
    kind_refusal,
    reference_refusal,
    short_refusal,
)
from matching.engine.state import Events, State, refused
from matching.engine.taking import reduce
from matching.engine.validity import (
    account_refusal,
    hold_refusal,
    market_refusal,
    price_refusal,
    quantity_refusal,
)
from matching.order import Order, Place
from matching.protocol.commands import FillRoute, HoldRoute, ReleaseRoute
from matching.protocol.events import AnyEvent, Filled, RouteFilled, RouteHeld, RouteReleased
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

_BUY = Side.BUY


def hold_route(state: State, sequence: int, command: HoldRoute) -> Events:
    """Hold what a quantity may cost that goes out; with an order, the quantity leaves that."""
    refusal = reference_refusal(state, command, account=command.account)
    if refusal is None and not (
        0 <= command.order_id <= UNITS_MAX and 0 <= command.fee_ppm <= PARTS_PER_MILLION
    ):
        refusal = refused(Refusal.MALFORMED, "order_id must not be negative, fee_ppm 0 to 10^6")
    account, book = state.accounts.get(command.account), state.books.get(command.instrument)
    refusal = refusal or account_unknown(state, command.account)
    if refusal is None and book is None:
        refusal = refused(
            Refusal.UNKNOWN_INSTRUMENT, f"instrument {command.instrument} is not defined"
        )
    if refusal is not None:
        return refusal
    assert account is not None and book is not None
    price, lots, side = command.price_ticks, command.quantity_lots, command.side
    order = account.orders.get(command.order_id)
    refusal = (
        account_refusal(account, book)
        or market_refusal(book)
        or price_refusal(book, price)
        or quantity_refusal(book, lots)
        or (_order_refusal(command, order) if command.order_id else None)
    )
    if refusal is not None:
        return refusal
    held = book.hold_units(side, price, lots, command.fee_ppm)
    asset = book.quote_asset if side is _BUY else book.base_asset
    available = account.available.get(asset, 0) + _freed_units(book, order, lots)
    notional = price * lots * book.quote_units_per_tick_lot
    refusal = hold_refusal(book, asset, available, notional, held, notional)
    if refusal is not None:
        return refusal
    events: list[AnyEvent] = []
    if order is not None:
        reduce(state, order, lots, events, CancelReason.ROUTED)
    account.available[asset] -= held
    account.held[asset] += held
    route = Route(
        command.reference, account.id, command.order_id, book.instrument, side, price, lots, held,
        command.fee_ppm,
    )  # fmt: skip
    state.accounts.routes[command.reference] = route
    state.accounts.remember(sequence, command)
    events.append(
        RouteHeld(
            account.id, command.order_id, book.instrument, side, price, lots, held,
            command.reference,
        )
    )  # fmt: skip
    follow_up(state, book, events)
    return tuple(events)


def release_route(state: State, sequence: int, command: ReleaseRoute) -> Events:
    """Give back what a route holds for lots that the partner will not fill."""
    refusal = reference_refusal(state, command)
    route = state.accounts.routes.get(command.route)
    if refusal is None and route is None:
        refusal = refused(Refusal.UNKNOWN_ROUTE, f"no route {command.route} is out")
    if refusal is not None:
        return refusal
    assert route is not None
    if not 0 <= command.quantity_lots <= route.open_lots:
        return refused(
            Refusal.ROUTE_EXCEEDED,
            f"route {route.reference} has {route.open_lots} lots out, not {command.quantity_lots}",
        )
    lots = command.quantity_lots or route.open_lots
    account, asset, freed = _shrink(state, route, lots)
    account.available[asset] += freed
    state.accounts.remember(sequence, command)
    left = route.open_lots
    return (RouteReleased(route.reference, account.id, lots, left, command.reference),)


def fill_route(state: State, sequence: int, command: FillRoute) -> Events:
    """Let the account of a route trade with a mirror account, as it did at the partner's."""
    refusal = reference_refusal(state, command)
    route = state.accounts.routes.get(command.route)
    if refusal is None and route is None:
        refusal = refused(Refusal.UNKNOWN_ROUTE, f"no route {command.route} is out")
    refusal = refusal or account_unknown(state, command.mirror)
    if refusal is not None:
        return refusal
    assert route is not None
    book, mirror = state.books[route.instrument], state.accounts[command.mirror]
    price, lots, fee = command.price_ticks, command.quantity_lots, command.fee_units
    base, quote = lots * book.base_units_per_lot, lots * price * book.quote_units_per_tick_lot
    buying = route.side is _BUY
    given = book.base_asset if buying else book.quote_asset
    refusal = (
        kind_refusal(mirror, AccountKind.MIRROR)
        or _fill_refusal(route, command, quote)
        or short_refusal(mirror, given, base if buying else quote)
    )
    if refusal is not None:
        return refusal
    account, asset, freed = _shrink(state, route, lots)
    if buying:
        assert freed >= quote + fee, "a hold must cover its fills"
        account.available[asset] += freed - quote - fee
        account.available[book.base_asset] += base
        mirror.available[book.base_asset] -= base
        mirror.available[book.quote_asset] += quote
    else:
        account.available[book.quote_asset] += quote - fee
        mirror.available[book.quote_asset] -= quote
        mirror.available[book.base_asset] += base
    revenue = state.accounts.revenue
    assert revenue is not None, "without it no phase but closed and halted begins"
    revenue.available[book.quote_asset] += fee
    state.fills += 1
    state.accounts.remember(sequence, command)
    left = route.open_lots
    return (
        RouteFilled(route.reference, account.id, lots, left, command.reference),
        Filled(
            state.fills, book.instrument, price, lots, base, quote, route.side, 0,
            route.order_id, mirror.id, account.id, 0, fee, 0, left, FillKind.EXTERNAL,
        ),
    )  # fmt: skip


def _order_refusal(command: HoldRoute, order: Order | None) -> Events | None:
    """Return why a quantity cannot leave an order, or None: it must be an ordinary resting one."""
    wanted = (command.instrument, command.side)
    if (
        order is None
        or (order.accepted.instrument, order.side) != wanted
        or order.place is not Place.LEVEL
        or order.pair
        or order.display_lots
    ):
        return refused(
            Refusal.UNKNOWN_ORDER,
            f"account {command.account} has no order {command.order_id} that could be routed",
        )
    if command.quantity_lots > order.open_lots:
        return refused(
            Refusal.ROUTE_EXCEEDED,
            f"order {order.id} has {order.open_lots} lots open, not {command.quantity_lots}",
        )
    return None


def _freed_units(book: Book, order: Order | None, lots: int) -> int:
    if order is None:
        return 0
    left = order.open_lots - lots
    kept = book.hold_units(order.side, order.price_ticks, left, order.hold_ppm)
    return order.held_units - kept


def _fill_refusal(route: Route, command: FillRoute, quote_units: int) -> Events | None:
    price, lots = command.price_ticks, command.quantity_lots
    if not 0 < price <= PRICE_TICKS_MAX:
        return refused(Refusal.PRICE_INVALID, f"price must be 1 to {PRICE_TICKS_MAX} ticks")
    worse = price > route.price_ticks if route.side is _BUY else price < route.price_ticks
    if worse:
        return refused(
            Refusal.ROUTE_EXCEEDED,
            f"the limit of route {route.reference} is {route.price_ticks}, found {price}",
        )
    if lots < 1:
        return refused(Refusal.QUANTITY_INVALID, f"quantity must be 1 lot or more, found {lots}")
    fee_max = quote_units * route.fee_ppm // PARTS_PER_MILLION
    if lots > route.open_lots or not 0 <= command.fee_units <= fee_max:
        return refused(
            Refusal.ROUTE_EXCEEDED,
            f"route {route.reference} allows {route.open_lots} lots and a fee of {fee_max} units",
        )
    return None


def _shrink(state: State, route: Route, lots: int) -> tuple[Account, int, int]:
    """Take lots off a route; return its account, the asset it holds, and the units freed of that.

    The units have left what is held and belong nowhere until the caller has moved them.
    """
    book, account = state.books[route.instrument], state.accounts[route.account]
    route.open_lots -= lots
    held = book.hold_units(route.side, route.price_ticks, route.open_lots, route.fee_ppm)
    freed, route.held_units = route.held_units - held, held
    asset = book.quote_asset if route.side is _BUY else book.base_asset
    account.held[asset] -= freed
    if not route.open_lots:
        del state.accounts.routes[route.reference]
    return account, asset, freed

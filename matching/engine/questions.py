"""Answers to queries about books and accounts."""

from matching.accounts import Account
from matching.book import Book
from matching.engine.resting import at_any_price
from matching.engine.state import State
from matching.order import Order, Place
from matching.protocol.queries import (
    AnyQuery,
    AnyReply,
    Balance,
    Balances,
    GetBalances,
    GetBook,
    GetInstruments,
    GetMovement,
    GetOpenOrders,
    GetRoutes,
    GetSegments,
    Instruments,
    InstrumentState,
    MovementFound,
    OpenOrder,
    OpenOrders,
    Routes,
    RouteState,
    Segments,
    SegmentState,
)
from matching.protocol.queries import Book as Levels
from matching.protocol.units import OrderKind


def answer(state: State, sequence: int, query: AnyQuery) -> AnyReply:
    """Answer from the present state; what is unknown has no balances, orders or levels."""
    match query:
        case GetBalances():
            balances = (
                Balance(account.id, asset, account.available[asset], account.held[asset])
                for account in _accounts(state, query.account)
                for asset in account.assets()
            )
            return Balances(sequence, tuple(balances))
        case GetOpenOrders():
            orders = (
                _open_order(state.books[order.accepted.instrument], order)
                for account in _accounts(state, query.account)
                for _, order in sorted(account.orders.items())
            )
            return OpenOrders(sequence, tuple(orders))
        case GetBook():
            book = state.books.get(query.instrument)
            if book is None:
                return Levels(sequence, query.instrument, (), ())
            depth = max(query.depth, 0)
            bids, asks = book.bids.depth(depth), book.asks.depth(depth)
            return Levels(sequence, query.instrument, bids, asks)
        case GetInstruments():
            instruments = (
                InstrumentState(
                    book.definition,
                    book.phase,
                    book.last_price_ticks,
                    book.reference_ticks,
                    book.announced_ns,
                    book.killed,
                    *book.indicative,
                )
                for _, book in sorted(state.books.items())
            )
            return Instruments(sequence, tuple(instruments))
        case GetMovement():
            known = state.accounts.movements.get(query.reference)
            if known is None:
                return MovementFound(sequence, None, 0)
            return MovementFound(sequence, known.command, known.sequence)
        case GetSegments():
            segments = (
                SegmentState(
                    each.definition, each.index, each.base_index, each.stage, each.closes_at_ns
                )
                for _, each in sorted(state.segments.items())
            )
            return Segments(sequence, tuple(segments))
        case GetRoutes():
            routes = (
                RouteState(
                    route.reference,
                    route.account,
                    route.order_id,
                    route.instrument,
                    route.side,
                    route.price_ticks,
                    route.open_lots,
                    route.held_units,
                )
                for _, route in sorted(state.accounts.routes.items())
                if query.account in (0, route.account)
            )
            return Routes(sequence, tuple(routes))
        case _:
            raise TypeError(f"the runtime answers {type(query).__name__}")


def _open_order(book: Book, order: Order) -> OpenOrder:
    accepted, place = order.accepted, order.place
    unlimited = place is Place.MARKET or at_any_price(accepted.kind)
    kind = accepted.kind
    if place is Place.MARKET:
        kind = OrderKind.MARKET
    elif place is Place.LEVEL and kind is OrderKind.STOP_LIMIT:
        kind = OrderKind.LIMIT
    return OpenOrder(
        order.id,
        order.account,
        accepted.client_order_id,
        accepted.instrument,
        order.side,
        0 if unlimited else order.price_ticks,
        order.open_lots,
        order.visible_lots if place is Place.LEVEL else 0,
        kind,
        book.stops.stop_price_ticks(order) if place is Place.STOP else 0,
        order.pair,
        order.display_lots,
    )


def _accounts(state: State, account_id: int) -> list[Account]:
    if not account_id:
        return list(state.accounts.ordered())
    account = state.accounts.get(account_id)
    return [] if account is None else [account]

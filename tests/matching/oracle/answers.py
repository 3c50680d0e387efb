"""What the oracle answers to the engine's queries."""

from matching.protocol.queries import (
    Balance,
    Balances,
    Book,
    Instruments,
    InstrumentState,
    OpenOrder,
    OpenOrders,
    Routes,
    RouteState,
    Segments,
    SegmentState,
)
from matching.protocol.units import Side
from tests.matching.oracle.book import level, standing
from tests.matching.oracle.holdings import held, open_orders, route_hold
from tests.matching.oracle.records import Account, Market, Order, Place, State
from tests.matching.oracle.segments import index


def _accounts(state: State) -> list[Account]:
    return sorted(state.accounts, key=lambda account: account.number)


def balances(state: State) -> Balances:
    found = []
    for account in _accounts(state):
        for asset in sorted(account.units):
            units, holds = account.units[asset], held(state, account, asset)
            if units:
                found.append(Balance(account.number, asset, units - holds, holds))
    return Balances(state.sequence, tuple(found))


def orders(state: State) -> OpenOrders:
    found = [
        OpenOrder(
            order.number,
            order.account.number,
            order.accepted.client_order_id,
            market.number,
            order.side,
            order.price,
            order.lots,
            order.shown if order.place is Place.LEVELS else 0,
            order.kind,
            order.stop if order.waits_for_stop else 0,
            order.pair,
            order.accepted.terms.display_lots if order.accepted.terms else 0,
        )
        for account in _accounts(state)
        for market, order in open_orders(state, account)
    ]
    return OpenOrders(state.sequence, tuple(found))


def book(state: State, market: Market) -> Book:
    bids, asks = _levels(market, Side.BUY), _levels(market, Side.SELL)
    return Book(state.sequence, market.number, bids[::-1], asks)


def _levels(market: Market, side: Side) -> tuple[tuple[int, int, int], ...]:
    prices = sorted({order.price for order in standing(market, side, Place.LEVELS)})
    queues: list[tuple[int, list[Order]]] = [(each, level(market, side, each)) for each in prices]
    return tuple(
        (price, sum(order.shown for order in queue), len(queue)) for price, queue in queues
    )


def instruments(state: State) -> Instruments:
    found = (
        InstrumentState(
            market.definition,
            market.phase,
            market.last,
            market.reference,
            market.ends_at_ns,
            market.killed,
            *market.told,
        )
        for market in sorted(state.markets, key=lambda market: market.number)
    )
    return Instruments(state.sequence, tuple(found))


def segments(state: State) -> Segments:
    found = (
        SegmentState(
            segment.definition,
            index(state, segment),
            segment.base or 0,
            segment.stage,
            segment.closes_at_ns,
        )
        for segment in sorted(state.segments, key=lambda each: each.definition.segment)
    )
    return Segments(state.sequence, tuple(found))


def routes(state: State) -> Routes:
    found = (
        RouteState(
            route.command.reference,
            route.command.account,
            route.command.order_id,
            route.command.instrument,
            route.command.side,
            route.command.price_ticks,
            route.lots,
            route_hold(state, route)[1],
        )
        for route in sorted(state.routes, key=lambda route: route.command.reference)
    )
    return Routes(state.sequence, tuple(found))

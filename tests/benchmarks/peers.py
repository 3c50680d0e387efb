"""Order books from PyPI, each driven through its own interface with the same flow as the engine.

Our own reference book stands among them, driven as the engine drives it. None knows accounts,
balances, fees or bands. What one lacks is done as its user would: an order that may not rest is
cancelled afterwards, a market order without the kind is a limit order at the end of the band.
Prices are given as whole numbers, and orders are made beforehand, as the engine's commands are.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from msgspec.structs import astuple

from matching.book import Book
from matching.order import Order
from matching.protocol.commands import CancelOrder, DefineInstrument, PlaceOrder, Sequenced
from matching.protocol.events import OrderAccepted
from matching.protocol.units import OrderKind, Side, TimeInForce
from tests.benchmarks.flow import BASE, INSTRUMENT, MID_TICKS, QUOTE

# Does the commands it was made of, one after another.
Course: TypeAlias = Callable[[], None]
# Returns the course of a sequence of commands, and the lots traded so far.
Peer: TypeAlias = tuple[Callable[[Iterable[Sequenced]], Course], Callable[[], int]]


def _price(order: PlaceOrder) -> int:
    if order.kind is OrderKind.LIMIT:
        return order.price_ticks
    return 2 * MID_TICKS if order.side is Side.BUY else MID_TICKS // 2


def _trading(flow: Iterable[Sequenced]) -> Iterable[tuple[int, PlaceOrder | CancelOrder]]:
    """Yield what a book without accounts understands, each with its sequence number."""
    for sequenced in flow:
        if isinstance(sequenced.command, PlaceOrder | CancelOrder):
            yield sequenced.sequence, sequenced.command


def reference_book() -> Peer:
    """`matching.book` alone: what the peers are, without what the engine does around it."""
    book = Book(DefineInstrument(INSTRUMENT, BASE, QUOTE, 10, 1_000, 1, 2**40))
    open_orders: dict[int, Order] = {}
    traded = 0

    def course(flow: Iterable[Sequenced]) -> Course:
        steps: list[tuple[Order | None, int, bool]] = []
        for sequence, command in _trading(flow):
            if isinstance(command, CancelOrder):
                steps.append((None, command.order_id, False))
                continue
            side, price, lots = command.side, _price(command), command.quantity_lots
            accepted = OrderAccepted(sequence, *astuple(command))
            account = command.account
            order = Order(sequence, account, account, side, price, lots, 0, 0, 0, accepted)
            steps.append((order, sequence, command.time_in_force is TimeInForce.GTC))

        def run() -> None:
            nonlocal traded
            for order, order_id, rests in steps:
                if order is None:
                    book.remove(open_orders.pop(order_id))
                    continue
                lots = order.visible_lots
                opposite, sign = (book.asks, 1) if order.side is Side.BUY else (book.bids, -1)
                taken, _ = opposite.take(order.price_ticks * sign, lots, order.holder)
                for maker, lots_taken, left, _ in taken:
                    lots -= lots_taken
                    traded += lots_taken
                    if not left:
                        del open_orders[maker.id]
                if rests and lots:
                    order.visible_lots = lots
                    open_orders[order_id] = order
                    book.add(order)

        return run

    return course, lambda: traded


def light_matching_engine() -> Peer:
    """Dictionaries of lists in pure Python; no market orders, no kinds."""
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine

    engine = LightMatchingEngine()
    numbers: dict[int, int] = {}
    traded = 0

    def course(flow: Iterable[Sequenced]) -> Course:
        steps = [
            (sequence, None, 0, 0, command.order_id)
            if isinstance(command, CancelOrder)
            else (
                sequence,
                command.time_in_force is TimeInForce.GTC,
                _price(command),
                command.quantity_lots,
                int(command.side),
            )
            for sequence, command in _trading(flow)
        ]

        def run() -> None:
            nonlocal traded
            for sequence, rests, price, lots, side in steps:
                if rests is None:
                    engine.cancel_order(numbers[side], 1)
                    continue
                order, _ = engine.add_order(1, price, lots, side)
                traded += order.cum_qty
                if rests:
                    numbers[sequence] = order.order_id
                elif order.leaves_qty:
                    engine.cancel_order(order.order_id, 1)

        return run

    return course, lambda: traded


def cython_orderbook() -> Peer:
    """Sorted dictionaries and ordered queues, compiled; limit and market orders."""
    from cython_orderbook import Order, OrderBook, OrderSide

    book = OrderBook()
    made: dict[int, Any] = {}

    def order(command: PlaceOrder) -> Any:
        side = OrderSide.BID if command.side is Side.BUY else OrderSide.ASK
        if command.kind is OrderKind.MARKET:
            return Order(side, command.quantity_lots)
        return Order(side, command.quantity_lots, command.price_ticks)

    def course(flow: Iterable[Sequenced]) -> Course:
        steps: list[tuple[Callable[[Any], Any], Any, bool]] = []
        for sequence, command in _trading(flow):
            if isinstance(command, CancelOrder):
                steps.append((book.cancel_order, made[command.order_id].order_id, True))
                continue
            each = made[sequence] = order(command)
            if command.kind is OrderKind.MARKET:
                steps.append((book.add_market_order, each, True))
            else:
                rests = command.time_in_force is TimeInForce.GTC
                steps.append((book.add_limit_order, each, rests))

        def run() -> None:
            for act, subject, done in steps:
                act(subject)
                if not done and subject.remaining_quantity:
                    book.cancel_order(subject.order_id)

        return run

    return course, lambda: sum(trade.quantity_filled for trade in book.trade_log)


def pyorderbook() -> Peer:
    """Heaps of levels in pure Python; limit orders only."""
    from pyorderbook import Book, Order
    from pyorderbook import Side as PeerSide

    book = Book()
    made: dict[int, Any] = {}
    traded = 0

    def course(flow: Iterable[Sequenced]) -> Course:
        steps: list[tuple[Any, bool | None]] = []
        for sequence, command in _trading(flow):
            if isinstance(command, CancelOrder):
                steps.append((made[command.order_id], None))
                continue
            side = PeerSide.BID if command.side is Side.BUY else PeerSide.ASK
            made[sequence] = Order(side, "X", _price(command), command.quantity_lots)
            steps.append((made[sequence], command.time_in_force is TimeInForce.GTC))

        def run() -> None:
            nonlocal traded
            for order, rests in steps:
                if rests is None:
                    book.cancel(order)
                    continue
                for trade in book.match(order).trades:
                    traded += trade.fill_quantity
                if not rests and order.quantity:
                    book.cancel(order)

        return run

    return course, lambda: traded


PEERS: dict[str, Callable[[], Peer]] = {
    "lightmatchingengine": light_matching_engine,
    "cython-orderbook": cython_orderbook,
    "pyorderbook": pyorderbook,
}

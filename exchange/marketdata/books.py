"""Order books by price level, kept from the engine's events alone. Pure: no clock, no sockets.

What must not live here: matching (that is the engine's), who owns an order.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sortedcontainers import SortedDict

from matching.protocol.events import (
    Applied,
    Filled,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderReduced,
)
from matching.protocol.queries import OpenOrder
from matching.protocol.units import Side

Level = tuple[int, int, int]


@dataclass(slots=True)
class _Order:
    instrument: int
    side: Side
    price_ticks: int
    remaining_lots: int


class Books:
    """All books, begun from the engine's resting orders at a sequence number.

    `dirty` collects the instruments whose levels changed; the caller empties it.
    """

    def __init__(self, resting: Iterable[OpenOrder], sequence: int) -> None:
        self.sequence = sequence
        self.dirty: set[int] = set()
        self._orders: dict[int, _Order] = {}
        self._levels: dict[tuple[int, Side], SortedDict[int, list[int]]] = {}
        for each in resting:
            self._rest(
                each.order_id,
                _Order(each.instrument, each.side, each.price_ticks, each.remaining_lots),
            )

    def apply(self, applied: Applied) -> None:
        """Take in what one command did; commands not above `sequence` are known already."""
        if applied.sequence <= self.sequence:
            return
        self.sequence = applied.sequence
        incoming: dict[int, _Order] = {}
        for event in applied.events:
            match event:
                case OrderAccepted():
                    incoming[event.order_id] = _Order(
                        event.instrument, event.side, event.price_ticks, event.quantity_lots
                    )
                case Filled():
                    self._reduce(event.maker_order_id, event.maker_remaining_lots, incoming)
                    self._reduce(event.taker_order_id, event.taker_remaining_lots, incoming)
                case OrderReduced():
                    self._reduce(event.order_id, event.remaining_lots, incoming)
                case OrderCancelled():
                    self._reduce(event.order_id, 0, incoming)
                case OrderAmended():
                    order = self._take(event.order_id)
                    order.price_ticks = event.price_ticks
                    order.remaining_lots = event.remaining_lots
                    incoming[event.order_id] = order
        for order_id, order in incoming.items():
            if order.remaining_lots:
                self._rest(order_id, order)

    def levels(self, instrument: int, side: Side, depth: int) -> list[Level]:
        """Return (price_ticks, quantity_lots, orders) of one side, best first."""
        levels = self._levels.get((instrument, side))
        if not levels:
            return []
        items = levels.items()
        best = reversed(items[-depth:]) if side == Side.BUY else items[:depth]
        return [(price, lots, orders) for price, (lots, orders) in best]

    def _rest(self, order_id: int, order: _Order) -> None:
        self._orders[order_id] = order
        levels = self._levels.setdefault((order.instrument, order.side), SortedDict())
        level = levels.setdefault(order.price_ticks, [0, 0])
        level[0] += order.remaining_lots
        level[1] += 1
        self.dirty.add(order.instrument)

    def _take(self, order_id: int) -> _Order:
        order = self._orders.pop(order_id)
        levels = self._levels[order.instrument, order.side]
        level = levels[order.price_ticks]
        level[0] -= order.remaining_lots
        level[1] -= 1
        assert (level[0] > 0) == (level[1] > 0), f"level {order.price_ticks} is off: {level}"
        if not level[1]:
            del levels[order.price_ticks]
        self.dirty.add(order.instrument)
        return order

    def _reduce(self, order_id: int, remaining_lots: int, incoming: dict[int, _Order]) -> None:
        """Bring an order to its remaining quantity, whether it rests or has just come in."""
        if order_id in incoming:
            incoming[order_id].remaining_lots = remaining_lots
            return
        if order_id not in self._orders:
            return  # taken off to nothing by the event before
        order = self._take(order_id)
        order.remaining_lots = remaining_lots
        if remaining_lots:
            self._rest(order_id, order)

"""Order books by price level, kept from the engine's events alone. Pure: no clock, no sockets.

A level is what anybody may see: of an iceberg what it shows, nothing of midpoint orders, of orders
that wait, or of those at any price. In an auction the two sides may overlap. What must not live
here: matching (that is the engine's), who owns an order.
"""

from collections.abc import Iterable

import msgspec
from sortedcontainers import SortedDict

from matching.protocol.events import (
    AnyEvent,
    Applied,
    Filled,
    OrderAccepted,
    OrderActivated,
    OrderAmended,
    OrderCancelled,
    OrderParked,
    OrderReduced,
    OrderReplenished,
)
from matching.protocol.queries import OpenOrder
from matching.protocol.units import FillKind, OrderKind, Side

Level = tuple[int, int, int]
_UNSEEN = (OrderKind.MARKET, OrderKind.MIDPOINT)
_OFF_BOOK = (FillKind.EXTERNAL, FillKind.COMPENSATING)


class _Order(msgspec.Struct, gc=False):
    """An open order; `shown_lots` of it stand in its level, `display_lots` at a time (0: all)."""

    instrument: int
    side: Side
    price_ticks: int
    remaining_lots: int
    kind: OrderKind
    display_lots: int = 0
    shown_lots: int = 0
    waits: bool = False


class Books:
    """All books, begun from the engine's open orders at a sequence number.

    `dirty` collects the instruments whose levels changed; the caller empties it.
    """

    def __init__(self, resting: Iterable[OpenOrder], sequence: int) -> None:
        self.sequence = sequence
        self.dirty: set[int] = set()
        self._orders: dict[int, _Order] = {}
        self._arriving: set[int] = set()
        self._levels: dict[tuple[int, Side], SortedDict[int, list[int]]] = {}
        for each in resting:
            order = self._orders[each.order_id] = _Order(
                each.instrument,
                each.side,
                each.price_ticks,
                each.remaining_lots,
                each.kind,
                each.display_lots,
                waits=not each.visible_lots and each.kind not in _UNSEEN,
            )
            self._show(order, each.visible_lots)

    def apply(self, applied: Applied) -> None:
        """Take in what one command did; commands not above `sequence` are known already."""
        if applied.sequence <= self.sequence:
            return
        self.sequence = applied.sequence
        for event in applied.events:
            self._take_in(event)
        for order_id in list(self._arriving):
            self._rest(order_id)

    def levels(self, instrument: int, side: Side, depth: int) -> list[Level]:
        """Return (price_ticks, quantity_lots, orders) of one side, best first."""
        levels = self._levels.get((instrument, side))
        if not levels:
            return []
        items = levels.items()
        best = reversed(items[-depth:]) if side == Side.BUY else items[:depth]
        return [(price, lots, orders) for price, (lots, orders) in best]

    def _take_in(self, event: AnyEvent) -> None:
        match event:
            case OrderAccepted():
                self._orders[event.order_id] = _Order(
                    event.instrument,
                    event.side,
                    event.price_ticks,
                    event.quantity_lots,
                    event.kind,
                    event.terms.display_lots if event.terms else 0,
                )
                self._arriving.add(event.order_id)
            case Filled():
                self._fill(event)
            case OrderReduced():
                order = self._orders[event.order_id]
                order.remaining_lots = event.remaining_lots
                # Of an iceberg, what is hidden goes first.
                self._show(order, min(order.shown_lots, event.remaining_lots))
            case OrderReplenished():
                self._show(self._orders[event.order_id], event.visible_lots)
            case OrderCancelled():
                self._end(event.order_id)
            case OrderAmended():
                self._amend(event)
            case OrderParked():
                self._orders[event.order_id].waits = True
            case OrderActivated():
                order = self._orders[event.order_id]
                self._show(order, 0)
                order.kind, order.price_ticks, order.waits = event.kind, event.price_ticks, False
                self._arriving.add(event.order_id)

    def _fill(self, fill: Filled) -> None:
        if fill.kind in _OFF_BOOK:
            return
        both_rested = fill.kind == FillKind.AUCTION
        for order_id, remaining, rested in (
            (fill.maker_order_id, fill.maker_remaining_lots, True),
            (fill.taker_order_id, fill.taker_remaining_lots, both_rested),
        ):
            if rested and order_id in self._arriving:
                self._rest(order_id)
            order = self._orders[order_id]
            order.remaining_lots = remaining
            if order.shown_lots:
                self._show(order, max(0, order.shown_lots - fill.quantity_lots))
            if not remaining:
                self._end(order_id)

    def _amend(self, event: OrderAmended) -> None:
        order = self._orders[event.order_id]
        order.remaining_lots = event.remaining_lots
        if event.priority_kept:
            self._show(order, min(order.shown_lots, event.remaining_lots))
            return
        self._show(order, 0)
        order.price_ticks = event.price_ticks
        self._arriving.add(event.order_id)

    def _rest(self, order_id: int) -> None:
        """Let an order that has taken what it could show what it has left, if it may be seen."""
        self._arriving.discard(order_id)
        order = self._orders[order_id]
        if not order.waits and order.kind not in _UNSEEN:
            self._show(order, min(order.remaining_lots, order.display_lots or order.remaining_lots))

    def _end(self, order_id: int) -> None:
        self._arriving.discard(order_id)
        order = self._orders.pop(order_id, None)
        if order is not None:
            self._show(order, 0)

    def _show(self, order: _Order, lots: int) -> None:
        """Change what an order shows in its level."""
        if lots == order.shown_lots:
            return
        levels = self._levels.setdefault((order.instrument, order.side), SortedDict())
        level = levels.setdefault(order.price_ticks, [0, 0])
        level[0] += lots - order.shown_lots
        level[1] += (lots > 0) - (order.shown_lots > 0)
        order.shown_lots = lots
        assert (level[0] > 0) == (level[1] > 0), f"level {order.price_ticks} is off: {level}"
        if not level[1]:
            del levels[order.price_ticks]
        self.dirty.add(order.instrument)

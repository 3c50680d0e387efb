"""The reference book: resting orders of one instrument in price-time priority.

What lives here is order and nothing else. What must not: balances, fees, eligibility, events.
"""

from collections import OrderedDict

from sortedcontainers import SortedList

from matching.order import Order
from matching.protocol.commands import DefineInstrument
from matching.protocol.units import (
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    Phase,
    Side,
    price_step_ticks,
)

NO_LEVEL = 2**62
_BUY = Side.BUY


class BookSide:
    """Levels by key, smallest key best: the price of an ask, the negated price of a bid."""

    __slots__ = ("best", "keys", "levels")

    def __init__(self) -> None:
        self.best = NO_LEVEL
        # Not dict: taking the first of one again and again walks over all that left before it.
        self.levels: dict[int, OrderedDict[int, Order]] = {}
        self.keys: SortedList[int] = SortedList()

    def add(self, key: int, order: Order) -> None:
        """Append the order to its level."""
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = OrderedDict()
            self.keys.add(key)
            self.best = min(self.best, key)
        level[order.id] = order

    def remove(self, key: int, order_id: int) -> None:
        """Take the order out, and its level when it was the last there."""
        level = self.levels[key]
        del level[order_id]
        if not level:
            self.drop(key)

    def take(
        self, limit_key: int, lots: int, holder: int
    ) -> tuple[list[tuple[Order, int, int]], Order | None]:
        """Take up to `lots` from the orders up to `limit_key`, best level first, oldest first.

        Returns (order, lots taken, lots left) of each, and the order of `holder` that ended it, if
        one did. An order with nothing left is out of the book; the others know what is left.
        """
        taken: list[tuple[Order, int, int]] = []
        while lots and self.best <= limit_key:
            level = self.levels[self.best]
            done = 0
            for order in level.values():
                if order.holder == holder:
                    self._remove_oldest(level, done)
                    return taken, order
                left = order.remaining_lots - lots
                if left > 0:
                    order.remaining_lots = left
                    taken.append((order, lots, left))
                    lots = 0
                    break
                taken.append((order, order.remaining_lots, 0))
                lots = -left
                done += 1
                if not lots:
                    break
            self._remove_oldest(level, done)
        return taken, None

    def oldest(self) -> Order:
        """Return the order that is next to trade."""
        return next(iter(self.levels[self.best].values()))

    def _remove_oldest(self, level: OrderedDict[int, Order], count: int) -> None:
        """Take so many orders out of the best level, and the level when that was all."""
        for _ in range(count):
            level.popitem(last=False)
        if not level:
            self.drop(self.best)

    def drop(self, key: int) -> None:
        """Take out a level that has become empty."""
        del self.levels[key]
        self.keys.remove(key)
        if key == self.best:
            self.best = self.keys[0] if self.keys else NO_LEVEL

    def orders(self) -> list[Order]:
        """Return all orders, best level first, each level in time priority."""
        return [order for key in self.keys for order in self.levels[key].values()]

    def depth(self, levels: int) -> tuple[tuple[int, int, int], ...]:
        """Return (price_ticks, quantity_lots, orders) of the best `levels` levels, all when 0."""
        keys = self.keys[:levels] if levels else self.keys
        return tuple(
            (
                abs(key),
                sum(order.remaining_lots for order in self.levels[key].values()),
                len(self.levels[key]),
            )
            for key in keys
        )

    def _check(self) -> None:
        """Assert that keys, levels and the cached best agree."""
        self.keys._check()
        assert list(self.keys) == sorted(self.levels), "keys and levels differ"
        assert self.best == (self.keys[0] if self.keys else NO_LEVEL), "stale best level"
        for key, level in self.levels.items():
            assert level, f"level {key} is empty"
            for order_id, order in level.items():
                sign = -1 if order.side is _BUY else 1
                assert order.id == order_id and order.price_ticks * sign == key
                assert order.remaining_lots > 0, f"order {order_id} rests with nothing open"


class Book:
    """One instrument: its rules, phase, last price and both sides."""

    __slots__ = (
        "asks",
        "base_asset",
        "base_units_per_lot",
        "bids",
        "class_bit",
        "definition",
        "high",
        "hold_ppm",
        "instrument",
        "last_price_ticks",
        "low",
        "maker_fee_ppm",
        "phase",
        "phase_decided_at_ns",
        "quantity_lots_max",
        "quote_asset",
        "quote_units_per_tick_lot",
        "taker_fee_ppm",
        "tick_table",
    )

    def __init__(self, definition: DefineInstrument) -> None:
        self.phase = Phase.CLOSED
        self.phase_decided_at_ns = 0
        self.last_price_ticks = 0
        self.bids = BookSide()
        self.asks = BookSide()
        self.define(definition)

    def define(self, definition: DefineInstrument) -> None:
        """Put new rules in force; resting orders keep their fee terms."""
        self.definition = definition
        self.instrument = definition.instrument
        self.base_asset = definition.base_asset
        self.quote_asset = definition.quote_asset
        self.base_units_per_lot = definition.base_units_per_lot
        self.quote_units_per_tick_lot = definition.quote_units_per_tick_lot
        self.class_bit = definition.instrument_class
        self.quantity_lots_max = definition.quantity_lots_max
        self.low = definition.price_ticks_low or 1
        self.high = definition.price_ticks_high or PRICE_TICKS_MAX
        self.maker_fee_ppm = definition.maker_fee_ppm
        self.taker_fee_ppm = definition.taker_fee_ppm
        self.hold_ppm = max(self.maker_fee_ppm, self.taker_fee_ppm, 0)
        self.tick_table = definition.tick_table

    def allows(self, price_ticks: int) -> bool:
        """Tell whether a price lies in the band and on the tick table."""
        if not self.low <= price_ticks <= self.high:
            return False
        return price_ticks % price_step_ticks(self.tick_table, price_ticks) == 0

    def hold_units(self, side: Side, price_ticks: int, lots: int, hold_ppm: int) -> int:
        """Return the exact hold of `lots` open at a limit: base to sell, quote and fee to buy.

        The fee part is rounded down (the member gains under one unit). It still covers every fill:
        for any split of the open notional a + b, floor(a r) + floor(b r) <= floor((a + b) r), and
        no fill is dearer than the limit or charged above r = max(maker, taker, 0).
        """
        if side is not _BUY:
            return lots * self.base_units_per_lot
        notional = price_ticks * lots * self.quote_units_per_tick_lot
        return notional + notional * hold_ppm // PARTS_PER_MILLION

    def add(self, order: Order) -> None:
        """Rest an order behind all others of its price."""
        if order.side is _BUY:
            self.bids.add(-order.price_ticks, order)
        else:
            self.asks.add(order.price_ticks, order)

    def remove(self, order: Order) -> None:
        """Take a resting order out of the book."""
        if order.side is _BUY:
            self.bids.remove(-order.price_ticks, order.id)
        else:
            self.asks.remove(order.price_ticks, order.id)

    def crosses(self, side: Side, price_ticks: int) -> bool:
        """Tell whether a limit order at this price would meet a resting one."""
        if side is _BUY:
            return self.asks.best <= price_ticks
        return self.bids.best <= -price_ticks

    def _check(self) -> None:
        """Assert that both sides are whole, on their side, inside the band and not crossed."""
        self.bids._check()
        self.asks._check()
        assert all(order.side is Side.BUY for order in self.bids.orders())
        assert all(order.side is Side.SELL for order in self.asks.orders())
        for order in self.bids.orders() + self.asks.orders():
            assert self.allows(order.price_ticks), f"order {order.id} at a forbidden price"
            held = self.hold_units(
                order.side, order.price_ticks, order.remaining_lots, order.hold_ppm
            )
            assert order.held_units == held, (
                f"order {order.id} holds {order.held_units}, not {held}"
            )
        assert -self.bids.best < self.asks.best, f"instrument {self.instrument} is crossed"

"""One side of a book: its levels, best price first, each in time priority."""

from collections import OrderedDict

from sortedcontainers import SortedList

from matching.order import Order, Place
from matching.protocol.units import Side

NO_LEVEL = 2**62
# Better than any price: the level of market orders, in auctions alone.
MARKET_KEY = -NO_LEVEL
_BUY = Side.BUY

# An order, the lots taken of it, the lots left open, and those that an iceberg shows anew.
Taken = tuple[Order, int, int, int]


class BookSide:
    """Levels by key, smallest key best: the price of an ask, the negated price of a bid."""

    __slots__ = ("best", "keys", "levels", "pro_rata")

    def __init__(self) -> None:
        self.best = NO_LEVEL
        # Not dict: taking the first of one again and again walks over all that left before it.
        self.levels: dict[int, OrderedDict[int, Order]] = {}
        self.keys: SortedList[int] = SortedList()
        self.pro_rata = False

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

    def take(self, limit_key: int, lots: int, holder: int) -> tuple[list[Taken], Order | None]:
        """Take up to `lots` from the orders up to `limit_key`, best level first, oldest first.

        Returns what was taken, and the order of `holder` that ended it, if one did. An order with
        nothing left is out of the book; the others know what is left.
        """
        taken: list[Taken] = []
        while lots and self.best <= limit_key:
            level = self.levels[self.best]
            if self.pro_rata:
                first = self.first_met(holder)
                if first.holder == holder:
                    return taken, first
                lots -= self._take_shares(level, lots, taken)
                continue
            done = 0
            spent = None
            for order in level.values():
                if order.holder == holder:
                    self._remove_oldest(level, done)
                    return taken, order
                left = order.visible_lots - lots
                if left > 0:
                    order.visible_lots = left
                    taken.append((order, lots, order.open_lots if order.special else left, 0))
                    lots = 0
                    break
                done += 1
                if order.special is not None and order.special.hidden_lots:
                    spent = order
                    break
                taken.append((order, order.visible_lots, 0, 0))
                lots = -left
                if not lots:
                    break
            if spent is not None:
                lots -= spent.visible_lots
                taken.append(self._replenished(spent))
                level.move_to_end(spent.id)
                done -= 1
            self._remove_oldest(level, done)
        return taken, None

    def _take_shares(self, level: OrderedDict[int, Order], lots: int, taken: list[Taken]) -> int:
        """Take from all orders of the level by their share, what rounding leaves oldest first.

        Every share is rounded down; the oldest gain what is left over. Returns the lots taken.
        """
        shown = sum(order.visible_lots for order in level.values())
        lots = min(lots, shown)
        shares = {order.id: lots * order.visible_lots // shown for order in level.values()}
        over = lots - sum(shares.values())
        for order in level.values():
            more = min(over, order.visible_lots - shares[order.id])
            shares[order.id] += more
            over -= more
        assert not over
        for order in [order for order in level.values() if shares[order.id]]:
            share = shares[order.id]
            if share < order.visible_lots:
                order.visible_lots -= share
                taken.append((order, share, order.open_lots, 0))
            elif order.open_lots > share:
                taken.append(self._replenished(order))
                level.move_to_end(order.id)
            else:
                taken.append((order, share, 0, 0))
                del level[order.id]
        if not level:
            self.drop(self.best)
        return lots

    def _replenished(self, order: Order) -> Taken:
        """Let an iceberg whose shown part is taken show the next."""
        lots = order.visible_lots
        order.show(order.open_lots - lots)
        return order, lots, order.open_lots, order.visible_lots

    def first_met(self, holder: int) -> Order:
        """Return the order that a taker of this holder meets next: its own in a shared level."""
        if self.pro_rata:
            return min(self.levels[self.best].values(), key=lambda order: order.holder != holder)
        return self.first()

    def first(self) -> Order:
        """Return the oldest order of the best level."""
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

    def best_without(self, order: Order | None) -> int:
        """Return the best key if one order were not there."""
        level = self.levels.get(self.best, ())
        if order is None or order.id not in level or len(level) > 1:
            return self.best
        return self.keys[1] if len(self.keys) > 1 else NO_LEVEL

    def orders(self) -> list[Order]:
        """Return all orders, best level first, each level in time priority."""
        return [order for key in self.keys for order in self.levels[key].values()]

    def depth(self, levels: int) -> tuple[tuple[int, int, int], ...]:
        """Return (price_ticks, quantity_lots, orders) of the best `levels` levels, all when 0.

        Hidden lots and market orders, which have no price, are left out.
        """
        first = 1 if self.best == MARKET_KEY else 0
        keys = self.keys[first : first + levels] if levels else self.keys[first:]
        return tuple(
            (
                abs(key),
                sum(order.visible_lots for order in self.levels[key].values()),
                len(self.levels[key]),
            )
            for key in keys
        )

    def quotes(self, limit_key: int) -> tuple[list[tuple[int, int]], int]:
        """Return (price_ticks, open lots) of the levels up to a key, and the lots at any price."""
        totals = {
            key: sum(order.open_lots for order in self.levels[key].values())
            for key in self.keys.irange(maximum=limit_key)
        }
        at_any_price = totals.pop(MARKET_KEY, 0)
        return [(abs(key), lots) for key, lots in totals.items()], at_any_price

    def _check(self) -> None:
        """Assert that keys, levels and the cached best agree."""
        self.keys._check()
        assert list(self.keys) == sorted(self.levels), "keys and levels differ"
        assert self.best == (self.keys[0] if self.keys else NO_LEVEL), "stale best level"
        for key, level in self.levels.items():
            assert level, f"level {key} is empty"
            for order_id, order in level.items():
                assert order.id == order_id and key_of(order) == key


def key_of(order: Order) -> int:
    """Return the key of the level in which an order stands."""
    if order.place is Place.MARKET:
        return MARKET_KEY
    return -order.price_ticks if order.side is _BUY else order.price_ticks

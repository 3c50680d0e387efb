"""Orders that wait for a stop price, of one instrument.

What lives here is who is due at a price. What must not: what a triggered order then does.
"""

from bisect import bisect_left

from sortedcontainers import SortedList

from matching.order import Order
from matching.protocol.units import Side


class _Trail:
    """Trailing stops of one side; prices are signed so that a stop follows upwards.

    Orders that have seen the same peak form a group, for the peak that a new high gives is the same
    for all that had seen less. Peaks fall from group to group, so that a new high meets the last
    groups alone and merges them: no price costs more than the groups that it ends or meets.
    """

    def __init__(self) -> None:
        self.groups: list[tuple[int, SortedList[tuple[int, int]]]] = []

    def add(self, peak: int, trail: int, order_id: int) -> None:
        place = bisect_left(self.groups, -peak, key=lambda group: -group[0])
        if place == len(self.groups) or self.groups[place][0] != peak:
            self.groups.insert(place, (peak, SortedList()))
        self.groups[place][1].add((trail, order_id))

    def follow(self, price: int) -> None:
        merged: SortedList[tuple[int, int]] = SortedList()
        while self.groups and self.groups[-1][0] <= price:
            _, group = self.groups.pop()
            small, merged = sorted((group, merged), key=len)
            merged.update(small)
        if merged:
            self.groups.append((price, merged))

    def met(self, price: int) -> list[int]:
        """Return the orders whose stop (peak - trail) the price has come down to."""
        return [
            order_id
            for peak, group in self.groups
            for trail, order_id in group.irange(maximum=(peak - price + 1,))
        ]

    def remove(self, trail: int, order_id: int) -> None:
        place = self._place(trail, order_id)
        group = self.groups[place][1]
        group.remove((trail, order_id))
        if not group:
            del self.groups[place]

    def peak(self, trail: int, order_id: int) -> int:
        return self.groups[self._place(trail, order_id)][0]

    def _place(self, trail: int, order_id: int) -> int:
        entry = (trail, order_id)
        return next(place for place, (_, group) in enumerate(self.groups) if entry in group)


class Stops:
    """Parked stop orders; a price meets those to buy at or below it, to sell at or above it."""

    __slots__ = ("_fixed", "_orders", "_trails")

    def __init__(self) -> None:
        self._orders: dict[int, Order] = {}
        # Signed so that a price meets the smallest first: to sell, the highest stop.
        self._fixed: dict[Side, SortedList[tuple[int, int]]] = {side: SortedList() for side in Side}
        self._trails = {side: _Trail() for side in Side}

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: Order) -> None:
        """Park an order with the stop price that it has."""
        self._orders[order.id] = order
        assert order.special is not None
        stop, trail, sign = order.special.stop_price_ticks, _trail(order), _sign(order.side)
        if trail:
            # To sell, the peak stands above the stop; to buy (negated) likewise.
            self._trails[order.side].add(-sign * stop + trail, trail, order.id)
        else:
            self._fixed[order.side].add((sign * stop, order.id))

    def remove(self, order: Order) -> None:
        """Take a parked order out; it keeps the stop price that it had by then."""
        assert order.special is not None
        order.special.stop_price_ticks = self.stop_price_ticks(order)
        del self._orders[order.id]
        trail = _trail(order)
        if trail:
            self._trails[order.side].remove(trail, order.id)
        else:
            stop = order.special.stop_price_ticks
            self._fixed[order.side].remove((_sign(order.side) * stop, order.id))

    def stop_price_ticks(self, order: Order) -> int:
        """Return where the order's stop stands now."""
        assert order.special is not None
        trail = _trail(order)
        if not trail:
            return order.special.stop_price_ticks
        return -_sign(order.side) * (self._trails[order.side].peak(trail, order.id) - trail)

    def met(self, price_ticks: int) -> list[Order]:
        """Let trailing stops follow a price; return those whose stop it meets, oldest first."""
        found: list[int] = []
        for side in Side:
            sign = _sign(side)
            met = self._fixed[side].irange(maximum=(sign * price_ticks + 1,))
            found += [order_id for _, order_id in met]
            self._trails[side].follow(-sign * price_ticks)
            found += self._trails[side].met(-sign * price_ticks)
        return [self._orders[order_id] for order_id in sorted(found)]

    def orders(self) -> list[Order]:
        """Return all parked stop orders by id, each with its stop as it stands."""
        for order in self._orders.values():
            assert order.special is not None
            order.special.stop_price_ticks = self.stop_price_ticks(order)
        return [order for _, order in sorted(self._orders.items())]

    def _check(self) -> None:
        """Assert that every parked order stands in exactly one index."""
        indexed = [order_id for fixed in self._fixed.values() for _, order_id in fixed]
        for trail in self._trails.values():
            peaks = [peak for peak, _ in trail.groups]
            assert peaks == sorted(set(peaks), reverse=True), f"peaks do not fall: {peaks}"
            assert all(group for _, group in trail.groups), "a group of trailing stops is empty"
            indexed += [order_id for _, group in trail.groups for _, order_id in group]
        assert sorted(indexed) == sorted(self._orders), "stops and their indexes differ"


def _sign(side: Side) -> int:
    return 1 if side is Side.BUY else -1


def _trail(order: Order) -> int:
    return 0 if order.accepted.terms is None else order.accepted.terms.trail_ticks

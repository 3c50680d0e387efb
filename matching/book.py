"""The reference book: open orders of one instrument in price-time priority, and its rules.

What lives here is order and nothing else. What must not: balances, fees, eligibility, events.
"""

from collections import OrderedDict

from sortedcontainers import SortedList

from matching.auction import NO_UNCROSSING, Uncrossing, uncrossing
from matching.order import Order, Place
from matching.protocol.commands import DefineInstrument
from matching.protocol.units import (
    FEE_TIERS_MAX,
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    UNITS_MAX,
    Allocation,
    Interruption,
    Phase,
    Side,
    TimeInForce,
    price_step_ticks,
)
from matching.stops import Stops

NO_LEVEL = 2**62
# Better than any price: the level of market orders, in auctions alone.
MARKET_KEY = -NO_LEVEL
_BUY = Side.BUY
MATCHING_PHASES = frozenset({Phase.CONTINUOUS, Phase.CONTINUOUS_24H})
AUCTION_PHASES = frozenset({Phase.OPENING_AUCTION, Phase.VOLATILITY_AUCTION, Phase.CLOSING_AUCTION})

# An order, the lots taken of it, the lots left open, and those that an iceberg shows anew.
Taken = tuple[Order, int, int, int]


class BookSide:
    """Levels by key, smallest key best: the price of an ask, the negated price of a bid."""

    __slots__ = ("best", "keys", "levels", "midpoints", "pro_rata")

    def __init__(self) -> None:
        self.best = NO_LEVEL
        # Not dict: taking the first of one again and again walks over all that left before it.
        self.levels: dict[int, OrderedDict[int, Order]] = {}
        self.keys: SortedList[int] = SortedList()
        self.midpoints: OrderedDict[int, Order] = OrderedDict()
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
        level = self.levels[self.best].values()
        if self.pro_rata:
            return min(level, key=lambda order: order.holder != holder)
        return next(iter(level))

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
                assert order.place in (Place.LEVEL, Place.MARKET)
        for order_id, order in self.midpoints.items():
            assert order.id == order_id and order.place is Place.MIDPOINT


def key_of(order: Order) -> int:
    """Return the key of the level in which an order stands."""
    if order.place is Place.MARKET:
        return MARKET_KEY
    return -order.price_ticks if order.side is _BUY else order.price_ticks


def meets(midpoint: Order, price_ticks: int) -> bool:
    """Tell whether a midpoint order's limit allows a price."""
    if midpoint.side is _BUY:
        return midpoint.price_ticks >= price_ticks
    return midpoint.price_ticks <= price_ticks


class Rules:
    """An instrument's definition, spread out as the way of an order needs it."""

    __slots__ = (
        "base_asset",
        "base_units_per_lot",
        "bound_high",
        "bound_low",
        "buy_high",
        "class_bit",
        "definition",
        "fees",
        "high",
        "instrument",
        "low",
        "notional_units_max",
        "quantity_lots_max",
        "quote_asset",
        "quote_units_per_tick_lot",
        "reference_ticks",
        "sell_low",
        "static_ticks",
        "tick_table",
    )

    def __init__(self) -> None:
        self.reference_ticks = self.static_ticks = 0

    def define(self, definition: DefineInstrument) -> None:
        """Put new rules in force; resting orders keep their fee terms."""
        self.definition = definition
        self.instrument = definition.instrument
        self.base_asset = definition.base_asset
        self.quote_asset = definition.quote_asset
        self.base_units_per_lot = definition.base_units_per_lot
        self.quote_units_per_tick_lot = definition.quote_units_per_tick_lot
        # A plain number: to test a bit of an enumeration costs ten times as much.
        self.class_bit = int(definition.instrument_class)
        self.quantity_lots_max = definition.quantity_lots_max
        self.notional_units_max = definition.notional_units_max or UNITS_MAX
        self.low = definition.price_ticks_low or 1
        self.high = definition.price_ticks_high or PRICE_TICKS_MAX
        self.tick_table = definition.tick_table
        tiers = [(definition.maker_fee_ppm, definition.taker_fee_ppm), *definition.fee_tiers]
        tiers += [tiers[-1]] * (FEE_TIERS_MAX + 1 - len(tiers))
        # Maker's rate, taker's rate, and the rate at which a hold covers both.
        self.fees = [(maker, taker, max(maker, taker, 0)) for maker, taker in tiers]
        self.refer(self.reference_ticks)

    def refer(self, reference_ticks: int) -> None:
        """Make a price the reference of collar and dynamic volatility bound."""
        self.reference_ticks = reference_ticks
        rules = self.definition
        self.buy_high, self.sell_low = PRICE_TICKS_MAX, 1
        if rules.collar_ppm and reference_ticks:
            self.buy_high, self.sell_low = self.collar(reference_ticks)
        low, high = volatility_bounds(reference_ticks, rules.dynamic_ppm)
        static_low, static_high = volatility_bounds(self.static_ticks, rules.static_ppm)
        self.bound_low = max(low, static_low)
        self.bound_high = min(high, static_high)

    def collar(self, reference_ticks: int) -> tuple[int, int]:
        """Return the highest limit to buy and the lowest to sell around a reference."""
        width = reference_ticks * self.definition.collar_ppm // PARTS_PER_MILLION
        return reference_ticks + width, reference_ticks - width

    def exceeded(self, price_ticks: int, reference_ticks: int) -> tuple[Interruption, int]:
        """Return which bound a price lies beyond, and around which reference; the static first."""
        low, high = volatility_bounds(self.static_ticks, self.definition.static_ppm)
        if low <= price_ticks <= high:
            return Interruption.DYNAMIC, reference_ticks
        return Interruption.STATIC, self.static_ticks

    def allows(self, price_ticks: int) -> bool:
        """Tell whether a price lies in the band and on the tick table."""
        if not self.low <= price_ticks <= self.high:
            return False
        return price_ticks % price_step_ticks(self.tick_table, price_ticks) == 0

    def step_down(self, price_ticks: int) -> int:
        """Return a price rounded down to its step."""
        return price_ticks - price_ticks % price_step_ticks(self.tick_table, price_ticks)

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


def volatility_bounds(reference_ticks: int, ppm: int) -> tuple[int, int]:
    """Return the lowest and highest price less than `ppm` away; all prices without a bound.

    KRX's volatility interruption: a price that far from the reference is interrupted.
    """
    if not ppm or not reference_ticks:
        return 1, PRICE_TICKS_MAX
    width = (reference_ticks * ppm - 1) // PARTS_PER_MILLION
    return reference_ticks - width, reference_ticks + width


class Book(Rules):
    """One instrument: its rules, phase, prices, both sides, and the orders that are parked.

    `ends_at_ns` is when the phase ends by itself, `announced_ns` what is told of it: a random end
    is later, and known to nobody. `resumes` is the continuous phase that a volatility auction ends
    into, `reopening_ns` how long the auction after a breaker's halt lasts. `watchful` tells that
    parked stops or midpoints may act when something else changes, `seen_ticks` for which reference
    no stop is left to trigger. `opening` are the orders for the opening auction, in their levels
    too.
    """

    __slots__ = (
        "announced_ns",
        "asks",
        "bids",
        "closing",
        "ends_at_ns",
        "extended",
        "indicative",
        "indicative_due_ns",
        "killed",
        "last_price_ticks",
        "matches",
        "opening",
        "phase",
        "phase_decided_at_ns",
        "reopening_ns",
        "resumes",
        "seen_ticks",
        "segment",
        "stops",
        "watchful",
    )

    def __init__(self, definition: DefineInstrument) -> None:
        super().__init__()
        self.phase = Phase.CLOSED
        self.resumes = Phase.CONTINUOUS
        self.phase_decided_at_ns = self.ends_at_ns = self.announced_ns = self.reopening_ns = 0
        self.extended = self.killed = self.matches = False
        self.last_price_ticks = 0
        self.indicative = NO_UNCROSSING
        self.indicative_due_ns = 0
        self.segment = self.seen_ticks = 0
        self.watchful = False
        self.bids = BookSide()
        self.asks = BookSide()
        self.stops = Stops()
        self.closing: dict[int, Order] = {}
        self.opening: dict[int, Order] = {}
        self.define(definition)

    def define(self, definition: DefineInstrument) -> None:
        """Put new rules in force; resting orders keep their fee terms."""
        super().define(definition)
        pro_rata = definition.allocation is Allocation.PRO_RATA
        self.bids.pro_rata = self.asks.pro_rata = pro_rata

    def enter(self, phase: Phase) -> None:
        """Set the phase; orders match at once in some, unless the kill switch is engaged."""
        self.phase = phase
        self.matches = phase in MATCHING_PHASES and not self.killed
        if phase in MATCHING_PHASES:
            self.resumes = phase

    def side(self, side: Side) -> BookSide:
        """Return the side on which an order to buy or sell stands."""
        return self.bids if side is _BUY else self.asks

    def add(self, order: Order) -> None:
        """Put an order in its place, behind all others there."""
        if order.special is None:
            if order.side is _BUY:
                self.bids.add(-order.price_ticks, order)
            else:
                self.asks.add(order.price_ticks, order)
            return
        match order.special.place:
            case Place.STOP:
                self.stops.add(order)
                self.watchful = True
                self.seen_ticks = 0
            case Place.CLOSE:
                self.closing[order.id] = order
            case Place.MIDPOINT:
                self.side(order.side).midpoints[order.id] = order
                self.watchful = True
            case _:
                self.side(order.side).add(key_of(order), order)
                if order.accepted.time_in_force is TimeInForce.AT_THE_OPEN:
                    self.opening[order.id] = order

    def remove(self, order: Order) -> None:
        """Take an open order out of its place."""
        if order.special is None:
            if order.side is _BUY:
                self.bids.remove(-order.price_ticks, order.id)
            else:
                self.asks.remove(order.price_ticks, order.id)
            return
        match order.special.place:
            case Place.STOP:
                self.stops.remove(order)
            case Place.CLOSE:
                del self.closing[order.id]
            case Place.MIDPOINT:
                del self.side(order.side).midpoints[order.id]
            case _:
                self.side(order.side).remove(key_of(order), order.id)
                self.opening.pop(order.id, None)

    def unlimited(self) -> list[Order]:
        """Return the orders at any price that take part in an auction."""
        sides = (self.bids, self.asks)
        return [order for side in sides for order in side.levels.get(MARKET_KEY, {}).values()]

    def orders(self) -> list[Order]:
        """Return all open orders: levels of bids and asks, midpoints, and the parked ones."""
        return [
            *self.bids.orders(),
            *self.asks.orders(),
            *self.bids.midpoints.values(),
            *self.asks.midpoints.values(),
            *self.stops.orders(),
            *(order for _, order in sorted(self.closing.items())),
        ]

    def crosses(self, side: Side, price_ticks: int) -> bool:
        """Tell whether a limit order at this price would meet a resting one."""
        if side is _BUY:
            return self.asks.best <= price_ticks
        return self.bids.best <= -price_ticks

    def meets(self, side: Side, price_ticks: int, without: Order | None = None) -> bool:
        """Tell whether a limit order at this price would trade, with midpoint orders too.

        `without` is the order that would be given this price.
        """
        if self.crosses(side, price_ticks):
            return True
        price, buying = self.middle(without), side is _BUY
        if not price or (price > price_ticks if buying else price < price_ticks):
            return False
        midpoints = (self.asks if buying else self.bids).midpoints.values()
        better = price < self.asks.best if buying else -price < self.bids.best
        return better and any(meets(order, price) for order in midpoints)

    def watch(self) -> None:
        """See whether anything is left that may act by itself."""
        self.watchful = bool(self.stops or self.bids.midpoints or self.asks.midpoints)

    def middle(self, without: Order | None = None) -> int:
        """Return the price of midpoint orders, rounded down; 0 where there is none.

        None without both sides, nor beyond the volatility bounds. One order may be left out.
        """
        bid, ask = self.bids.best_without(without), self.asks.best_without(without)
        if bid == NO_LEVEL or ask == NO_LEVEL:
            return 0
        price = (ask - bid) // 2
        return price if self.bound_low <= price <= self.bound_high else 0

    def uncrossing(self) -> Uncrossing:
        """Return at what price the book would trade in an auction that ended now.

        Levels that the other side does not reach trade at no price, and are not looked at.
        """
        bids, buying = self.bids.quotes(-self.asks.best)
        asks, selling = self.asks.quotes(-self.bids.best)
        reference = self.reference_ticks
        if not (bids or asks) and not self.low <= self.step_down(reference) <= self.high:
            return NO_UNCROSSING  # what market orders hold may not cover it
        return uncrossing(bids, asks, (buying, selling), reference, self.step_down)

    def _check(self) -> None:
        """Assert that both sides are whole, on their side, inside the band and not crossed."""
        self.bids._check()
        self.asks._check()
        self.stops._check()
        for side, book_side in ((Side.BUY, self.bids), (Side.SELL, self.asks)):
            resting = [*book_side.orders(), *book_side.midpoints.values()]
            assert all(order.side is side for order in resting)
        for order in self.orders():
            assert order.visible_lots > 0, f"order {order.id} is open with nothing"
            display = order.display_lots
            hidden = order.special.hidden_lots if order.special else 0
            assert not hidden or order.visible_lots <= display, f"order {order.id} shows too much"
        opening = {
            order.id: order
            for order in self.orders()
            if order.accepted.time_in_force is TimeInForce.AT_THE_OPEN
        }
        assert self.opening == opening, "orders for the opening are not all known"
        if self.phase in MATCHING_PHASES:
            assert self.bids.best != MARKET_KEY != self.asks.best, "a market order rests"
            assert -self.bids.best < self.asks.best, f"instrument {self.instrument} is crossed"

"""A whole book: an instrument's rules, phase and prices, both sides, and what is parked."""

from matching.auction import NO_UNCROSSING, Uncrossing, uncrossing
from matching.book.rules import Rules
from matching.book.sides import MARKET_KEY, NO_LEVEL, BookSide, key_of
from matching.order import Order, Place
from matching.protocol.commands import DefineInstrument
from matching.protocol.units import (
    Allocation,
    Phase,
    Side,
    TimeInForce,
)
from matching.stops import Stops

_BUY = Side.BUY
MATCHING_PHASES = frozenset({Phase.CONTINUOUS, Phase.CONTINUOUS_24H})
AUCTION_PHASES = frozenset({Phase.OPENING_AUCTION, Phase.VOLATILITY_AUCTION, Phase.CLOSING_AUCTION})


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
        "decided_phase",
        "ends_at_ns",
        "extended",
        "indicative",
        "indicative_due_ns",
        "killed",
        "last_price_ticks",
        "matches",
        "midpoint_asks",
        "midpoint_bids",
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
        self.phase = self.decided_phase = Phase.CLOSED
        self.resumes = Phase.CONTINUOUS
        self.phase_decided_at_ns = self.ends_at_ns = self.announced_ns = self.reopening_ns = 0
        self.extended = self.killed = self.matches = False
        self.last_price_ticks = 0
        self.indicative = NO_UNCROSSING
        self.indicative_due_ns = 0
        self.segment = self.seen_ticks = 0
        self.watchful = False
        self.bids, self.asks = BookSide(), BookSide()
        self.midpoint_bids, self.midpoint_asks = BookSide(), BookSide()
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

    def midpoints(self, side: Side) -> BookSide:
        """Return the midpoint orders to buy or sell, in levels by their limit."""
        return self.midpoint_bids if side is _BUY else self.midpoint_asks

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
                self.midpoints(order.side).add(key_of(order), order)
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
                self.midpoints(order.side).remove(key_of(order), order.id)
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
            *self.midpoint_bids.orders(),
            *self.midpoint_asks.orders(),
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
        price = self.middle(without)
        if not price:
            return False
        if side is _BUY:
            better = price <= price_ticks and price < self.asks.best
            return better and self.midpoint_asks.best <= price
        better = price >= price_ticks and -price < self.bids.best
        return better and self.midpoint_bids.best <= -price

    def watch(self) -> None:
        """See whether anything is left that may act by itself."""
        best = min(self.midpoint_bids.best, self.midpoint_asks.best)
        self.watchful = bool(self.stops) or best != NO_LEVEL

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
        self.stops._check()
        for side in Side:
            for book_side in (self.side(side), self.midpoints(side)):
                book_side._check()
                assert all(order.side is side for order in book_side.orders())
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

"""Phases of an instrument: what entering one does to its orders, and auctions that end.

What must not live here: who decides a phase (listing.py), what follows in continuous trading
(followup.py).
"""

from matching.auction import NO_UNCROSSING
from matching.book import AUCTION_PHASES, MATCHING_PHASES, Book
from matching.engine.removal import cancel_each
from matching.engine.state import State, TimerKind
from matching.engine.uncross import uncross
from matching.order import Order, Place
from matching.protocol.events import (
    AnyEvent,
    IndicativeChanged,
    MarketInterrupted,
    OrderActivated,
    PhaseChanged,
)
from matching.protocol.units import (
    INDICATIVE_NS,
    CancelReason,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
)

_SESSION = frozenset({TimeInForce.DAY, TimeInForce.AT_THE_OPEN, TimeInForce.AT_THE_CLOSE})


def enter_phase(
    state: State,
    book: Book,
    phase: Phase,
    ends_at_ns: int,
    events: list[AnyEvent],
    *,
    trading: bool = True,
) -> None:
    """Change the phase, `ends_at_ns` being 0 when it does not end by itself.

    An auction that ends into the close, and what is crossed when continuous trading begins, trades
    first; a breaker that closes the market lets nothing trade. Orders that the new phase has no use
    for end. What follows in a continuous phase is left to the caller.
    """
    before = book.phase
    changes = phase is not before
    closes = phase is Phase.CLOSED and before in AUCTION_PHASES
    if changes and trading and (phase in MATCHING_PHASES or closes):
        uncross(state, book, events, always_told=before in AUCTION_PHASES)
    number = book.instrument
    book.ends_at_ns = state.set_timer(TimerKind.PHASE, number, book.ends_at_ns, ends_at_ns)
    book.announced_ns = ends_at_ns
    if changes:
        book.extended = False
        book.indicative = NO_UNCROSSING
        due_ns = state.time_ns + INDICATIVE_NS if phase in AUCTION_PHASES else 0
        _set_indicative(state, book, due_ns)
    book.enter(phase)
    events.append(PhaseChanged(number, phase, ends_at_ns))
    if changes:
        _sort_out(state, book, phase, events)


def _sort_out(state: State, book: Book, phase: Phase, events: list[AnyEvent]) -> None:
    """End, activate or convert orders as the phase just entered wants it."""
    opening = list(book.opening.values())
    if phase is Phase.CLOSED:
        ending = [order for order in book.orders() if _of_session(order)]
        cancel_each(state, ending, CancelReason.EXPIRED, events)
    elif phase is Phase.CLOSING_AUCTION:
        cancel_each(state, opening, CancelReason.UNCROSSED, events)
        _activate(book, events)
        _convert(state, book, events)
    elif phase in MATCHING_PHASES:
        ending = [*(order for order in opening if order.place is Place.LEVEL), *book.unlimited()]
        cancel_each(state, ending, CancelReason.UNCROSSED, events)


def _of_session(order: Order) -> bool:
    return order.accepted.time_in_force in _SESSION or order.place is Place.MARKET


def _activate(book: Book, events: list[AnyEvent]) -> None:
    """Let the orders that waited for the closing auction take part in it."""
    for order in [order for _, order in sorted(book.closing.items())]:
        assert order.special is not None
        book.remove(order)
        unlimited = order.accepted.kind is OrderKind.MARKET
        order.special.place = Place.MARKET if unlimited else Place.LEVEL
        book.add(order)
        price = 0 if unlimited else order.price_ticks
        events.append(
            OrderActivated(order.id, order.account, book.instrument, order.accepted.kind, price)
        )


def _convert(state: State, book: Book, events: list[AnyEvent]) -> None:
    """Turn conditional limits market, those whose account can hold what that may cost."""
    found = [
        order
        for order in book.orders()
        if order.accepted.kind is OrderKind.CONDITIONAL_LIMIT and order.place is Place.LEVEL
    ]
    for order in sorted(found, key=lambda order: order.id):
        assert order.special is not None, "a conditional limit has a day"
        account, lots = state.accounts[order.account], order.open_lots
        cap, more = 0, 0
        if order.side is Side.BUY:
            cap = book.high
            held = book.hold_units(Side.BUY, cap, lots, order.hold_ppm)
            more = held - order.held_units
            if more > account.available[book.quote_asset]:
                continue
            account.available[book.quote_asset] -= more
            account.held[book.quote_asset] += more
        book.remove(order)
        order.held_units += more
        order.price_ticks = cap
        order.special.place = Place.MARKET
        book.add(order)
        events.append(OrderActivated(order.id, order.account, book.instrument, OrderKind.MARKET, 0))


def interrupt(state: State, book: Book, told: MarketInterrupted, events: list[AnyEvent]) -> None:
    """Begin a volatility auction instead of trading at a price."""
    events.append(told)
    ends_at_ns = state.time_ns + book.definition.volatility_auction_ns
    enter_phase(state, book, Phase.VOLATILITY_AUCTION, ends_at_ns, events)


def publish_indicative(state: State, book: Book, events: list[AnyEvent]) -> None:
    """Tell how the auction would end now, if that has changed since last told."""
    found = book.uncrossing()
    if found != book.indicative:
        book.indicative = found
        events.append(IndicativeChanged(book.instrument, *found))
    _set_indicative(state, book, state.time_ns + INDICATIVE_NS)


def _set_indicative(state: State, book: Book, due_ns: int) -> None:
    before_ns = book.indicative_due_ns
    book.indicative_due_ns = state.set_timer(
        TimerKind.INDICATIVE, book.instrument, before_ns, due_ns
    )

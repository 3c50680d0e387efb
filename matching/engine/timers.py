"""What is due by the clock: ends of phases, breakers, expiries, heartbeats, indicative prices."""

from matching.book import AUCTION_PHASES, Book, volatility_bounds
from matching.engine.cancels import miss_heartbeat
from matching.engine.followup import follow_up
from matching.engine.phases import enter_phase, publish_indicative
from matching.engine.removal import cancel
from matching.engine.segments import trip
from matching.engine.state import Events, State, TimerKind, refused
from matching.protocol.commands import Advance
from matching.protocol.events import Advanced, AnyEvent, MarketInterrupted
from matching.protocol.refusals import Refusal
from matching.protocol.units import CancelReason, Phase

DRAW_BITS = 32


def advance(state: State, sequence: int, command: Advance) -> Events:
    """Do what is due, in its order."""
    if not 0 <= command.draw < 1 << DRAW_BITS:
        return refused(
            Refusal.MALFORMED, f"draw must be 0 to {2**DRAW_BITS - 1}, found {command.draw}"
        )
    events: list[AnyEvent] = []
    # Ends: each item takes its own timer away or sets it later than now.
    while state.due_ns <= state.time_ns:
        _, kind, number, account = state.timers[0]
        match kind:
            case TimerKind.PHASE:
                _end_phase(state, state.books[number], command.draw, events)
            case TimerKind.BREAKER:
                trip(state, state.segments[number], events)
            case TimerKind.EXPIRY:
                order = state.accounts[account].orders[number]
                cancel(state, order, CancelReason.EXPIRED, events)
                follow_up(state, state.books[order.accepted.instrument], events)
            case TimerKind.HEARTBEAT:
                miss_heartbeat(state, state.accounts[number], events)
            case TimerKind.INDICATIVE:
                publish_indicative(state, state.books[number], events)
        state.look()
    events.append(Advanced())
    return tuple(events)


def _end_phase(state: State, book: Book, draw: int, events: list[AnyEvent]) -> None:
    """End a phase whose time has come: an auction at random later, or prolonged once if need be."""
    random_end_ns = book.definition.random_end_ns
    drawn = book.ends_at_ns != book.announced_ns
    if book.phase in AUCTION_PHASES and random_end_ns and not drawn:
        ends_at_ns = book.ends_at_ns + (draw * random_end_ns >> DRAW_BITS)
        if ends_at_ns != book.ends_at_ns:
            book.ends_at_ns = state.set_timer(
                TimerKind.PHASE, book.instrument, book.ends_at_ns, ends_at_ns
            )
            return
    if _prolonged(state, book, events):
        return
    ends_at_ns = 0
    match book.phase:
        case Phase.CLOSING_AUCTION:
            following = Phase.CLOSED
        case Phase.HALTED:
            following = Phase.VOLATILITY_AUCTION
            ends_at_ns = state.time_ns + book.reopening_ns
        case Phase.OPENING_AUCTION:
            following = Phase.CONTINUOUS
        case _:
            following = book.resumes
    enter_phase(state, book, following, ends_at_ns, events)
    follow_up(state, book, events)


def _prolonged(state: State, book: Book, events: list[AnyEvent]) -> bool:
    """Let the opening or closing auction go on once, if its price is beyond a bound."""
    rules, phase = book.definition, book.phase
    if book.extended or phase not in (Phase.OPENING_AUCTION, Phase.CLOSING_AUCTION):
        return False
    price = book.uncrossing().price_ticks
    bounds = [volatility_bounds(book.static_ticks, rules.static_ppm)]
    if phase is Phase.CLOSING_AUCTION:
        bounds.append(volatility_bounds(book.reference_ticks, rules.closing_dynamic_ppm))
    if not price or all(low <= price <= high for low, high in bounds):
        return False
    cause, reference_ticks = book.exceeded(price, book.reference_ticks)
    events.append(MarketInterrupted(book.instrument, cause, reference_ticks, price))
    ends_at_ns = state.time_ns + rules.volatility_auction_ns
    enter_phase(state, book, phase, ends_at_ns, events)
    book.extended = True
    return True

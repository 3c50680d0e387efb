"""Instruments: their definition, their rules and their phase."""

from itertools import pairwise

from matching.book import AUCTION_PHASES, Book
from matching.engine.followup import follow_up
from matching.engine.phases import enter_phase
from matching.engine.removal import cancel_each
from matching.engine.resting import at_any_price
from matching.engine.state import Events, State, refused
from matching.order import Order, Place
from matching.protocol.commands import DefineInstrument, SetPhase
from matching.protocol.events import AnyEvent, InstrumentDefined, PhaseChanged
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    DURATION_NS_MAX,
    FEE_TIERS_MAX,
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
    TICK_BANDS_MAX,
    TIME_NS_MAX,
    UNITS_MAX,
    CancelReason,
    Phase,
    Side,
)


def define_instrument(state: State, sequence: int, command: DefineInstrument) -> Events:
    """Create an instrument (closed) or change its rules.

    Assets, unit sizes and class never change: records and resting orders are written in them.
    Orders outside a new price band or off a new tick table are cancelled; the others keep the fee
    terms they came under.
    """
    fault = _fault(command)
    if fault:
        return refused(Refusal.MALFORMED, fault)
    book = state.books.get(command.instrument)
    base_before = 0
    if book is None:
        book = state.books[command.instrument] = Book(command)
    else:
        if _identity(command) != _identity(book.definition):
            return refused(
                Refusal.CONFLICTING_DEFINITION,
                f"instrument {command.instrument} has assets, unit sizes and class "
                f"{_identity(book.definition)} for ever, found {_identity(command)}",
            )
        base_before = book.definition.base_price_ticks
        book.define(command)
    events: list[AnyEvent] = [InstrumentDefined(command)]
    base = command.base_price_ticks
    if base and base != base_before:
        book.static_ticks = base
        before, segment = book.reference_ticks, state.segments.get(book.segment)
        state.refer(book, base)
        if segment is not None:
            segment.shift(segment.weights[book.instrument] * (base - before))
    forbidden = [order for order in book.orders() if not _allows(book, order)]
    cancel_each(state, forbidden, CancelReason.RESTRICTED, events)
    follow_up(state, book, events)
    return tuple(events)


def _allows(book: Book, order: Order) -> bool:
    """Tell whether band and tick table leave an order where it is.

    One that buys at any price in an auction must hold enough for the highest.
    """
    accepted = order.accepted
    if accepted.terms is not None and accepted.terms.stop_price_ticks and order.place is Place.STOP:
        assert order.special is not None
        if not book.allows(order.special.stop_price_ticks):
            return False
    unlimited = at_any_price(accepted.kind)
    if order.place is Place.STOP and unlimited:
        return True
    if order.place is Place.MARKET or unlimited:
        return order.side is Side.SELL or order.price_ticks >= book.high
    return book.allows(order.price_ticks)


def set_phase(state: State, sequence: int, command: SetPhase) -> Events:
    """Set the phase; trading needs the revenue account, which takes the fees of every fill."""
    book, phase = state.books.get(command.instrument), command.phase
    if book is None:
        return refused(
            Refusal.UNKNOWN_INSTRUMENT, f"instrument {command.instrument} is not defined"
        )
    if phase not in (Phase.CLOSED, Phase.HALTED) and state.accounts.revenue is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, "open the revenue account before trading begins")
    decided_at_ns, ends_at_ns = command.decided_at_ns, command.ends_at_ns
    if not 0 <= decided_at_ns <= UNITS_MAX:
        return refused(
            Refusal.MALFORMED, f"decided_at_ns must be 0 to {UNITS_MAX}, found {decided_at_ns}"
        )
    if not 0 <= ends_at_ns <= (TIME_NS_MAX if phase in AUCTION_PHASES else 0):
        return refused(
            Refusal.MALFORMED,
            f"an auction ends by {TIME_NS_MAX}, other phases by command, found {ends_at_ns}",
        )
    if decided_at_ns and decided_at_ns < book.phase_decided_at_ns:
        return refused(
            Refusal.STALE_VERSION,
            f"phase {book.phase.name} was decided at {book.phase_decided_at_ns}, "
            f"{phase.name} at {decided_at_ns}, which is before",
        )
    until_ns = state.segments[book.segment].halted_until_ns if book.segment else 0
    if state.time_ns < until_ns and phase not in (Phase.CLOSED, Phase.HALTED):
        return refused(
            Refusal.MARKET_HALTED,
            f"the breaker of segment {book.segment} lets nothing trade until {until_ns}",
        )
    if decided_at_ns and (decided_at_ns, phase) == (book.phase_decided_at_ns, book.decided_phase):
        # Sent again: an auction that has ended since does not begin anew.
        return (PhaseChanged(book.instrument, book.phase, book.announced_ns),)
    book.decided_phase = phase
    book.phase_decided_at_ns = max(book.phase_decided_at_ns, decided_at_ns)
    events: list[AnyEvent] = []
    enter_phase(state, book, phase, ends_at_ns, events)
    follow_up(state, book, events)
    return tuple(events)


def _identity(definition: DefineInstrument) -> tuple[int, ...]:
    return (
        definition.base_asset,
        definition.quote_asset,
        definition.base_units_per_lot,
        definition.quote_units_per_tick_lot,
        definition.instrument_class,
    )


def _fault(command: DefineInstrument) -> str:
    """Return what is wrong with a definition in itself, or nothing."""
    for name in (
        "instrument",
        "base_asset",
        "quote_asset",
        "base_units_per_lot",
        "quote_units_per_tick_lot",
        "instrument_class",
    ):
        value = getattr(command, name)
        if not 0 < value <= UNITS_MAX:
            return f"{name} must be 1 to {UNITS_MAX}, found {value}"
    if command.base_asset == command.quote_asset:
        return f"base and quote are the same asset {command.base_asset}"
    if command.instrument_class.bit_count() != 1:
        return f"instrument_class must be one bit, found {command.instrument_class}"
    if not 0 < command.quantity_lots_max <= QUANTITY_LOTS_MAX:
        return f"quantity_lots_max must be 1 to {QUANTITY_LOTS_MAX}"
    low, high = command.price_ticks_low, command.price_ticks_high
    if not (0 <= low <= PRICE_TICKS_MAX and 0 <= high <= PRICE_TICKS_MAX):
        return f"band {low} to {high} must lie in 0 to {PRICE_TICKS_MAX}"
    if high and low > high:
        return f"band {low} to {high} is empty"
    return _fees_fault(command) or _tick_fault(command.tick_table) or _bounds_fault(command)


def _fees_fault(command: DefineInstrument) -> str:
    """Return what is wrong with the fees, or nothing."""
    if len(command.fee_tiers) > FEE_TIERS_MAX:
        return f"fee_tiers must be {FEE_TIERS_MAX} or less, found {len(command.fee_tiers)}"
    for maker, taker in ((command.maker_fee_ppm, command.taker_fee_ppm), *command.fee_tiers):
        # A fee above the whole amount would leave the seller owing; only a maker may be paid.
        if not -PARTS_PER_MILLION <= maker <= PARTS_PER_MILLION:
            return f"maker_fee_ppm must be -10^6 to 10^6, found {maker}"
        if not 0 <= taker <= PARTS_PER_MILLION:
            return f"taker_fee_ppm must be 0 to 10^6, found {taker}"
    return ""


def _bounds_fault(command: DefineInstrument) -> str:
    """Return what is wrong with base price, collar and volatility bounds, or nothing."""
    if not 0 <= command.base_price_ticks <= PRICE_TICKS_MAX:
        return f"base_price_ticks must be 0 to {PRICE_TICKS_MAX}"
    if not 0 <= command.notional_units_max <= UNITS_MAX:
        return f"notional_units_max must be 0 to {UNITS_MAX}"
    for name in ("collar_ppm", "dynamic_ppm", "closing_dynamic_ppm", "static_ppm"):
        if not 0 <= getattr(command, name) <= PARTS_PER_MILLION:
            return f"{name} must be 0 to 10^6, found {getattr(command, name)}"
    for name in ("volatility_auction_ns", "random_end_ns"):
        if not 0 <= getattr(command, name) <= DURATION_NS_MAX:
            return f"{name} must be 0 to {DURATION_NS_MAX}, found {getattr(command, name)}"
    bounded = command.dynamic_ppm or command.closing_dynamic_ppm or command.static_ppm
    if bounded and not command.volatility_auction_ns:
        return "a volatility bound needs volatility_auction_ns"
    return ""


def _tick_fault(table: tuple[tuple[int, int], ...]) -> str:
    """Return what is wrong with a tick table, or nothing."""
    if len(table) > TICK_BANDS_MAX:
        return f"tick_table must have {TICK_BANDS_MAX} bands or less, found {len(table)}"
    starts = [start for start, _ in table]
    if table and (starts[0] != 0 or starts[-1] > PRICE_TICKS_MAX):
        return f"tick_table must start at 0 and end by {PRICE_TICKS_MAX}, found {starts}"
    if any(low >= high for low, high in pairwise(starts)):
        return f"tick_table must rise, found {starts}"
    for start, step in table:
        if not 0 < step <= PRICE_TICKS_MAX:
            return f"step from {start} must be 1 to {PRICE_TICKS_MAX} ticks, found {step}"
    return ""

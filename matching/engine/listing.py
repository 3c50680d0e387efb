"""Instruments: their definition, their rules and their phase."""

from itertools import pairwise

from matching.book import Book
from matching.engine.cancels import close
from matching.engine.state import Events, State, refused
from matching.protocol.commands import DefineInstrument, SetPhase
from matching.protocol.events import AnyEvent, InstrumentDefined, PhaseChanged
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
    TICK_BANDS_MAX,
    UNITS_MAX,
    CancelReason,
    Phase,
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
    if book is None:
        state.books[command.instrument] = Book(command)
        return (InstrumentDefined(command),)
    if _identity(command) != _identity(book.definition):
        return refused(
            Refusal.CONFLICTING_DEFINITION,
            f"instrument {command.instrument} has assets, unit sizes and class "
            f"{_identity(book.definition)} for ever, found {_identity(command)}",
        )
    book.define(command)
    events: list[AnyEvent] = [InstrumentDefined(command)]
    for order in book.bids.orders() + book.asks.orders():
        if not book.allows(order.price_ticks):
            account = state.accounts[order.account]
            events.append(close(account, book, order, CancelReason.RESTRICTED))
    return tuple(events)


def set_phase(state: State, sequence: int, command: SetPhase) -> Events:
    """Set the phase; trading needs the revenue account, which takes the fees of every fill."""
    book = state.books.get(command.instrument)
    if book is None:
        return refused(
            Refusal.UNKNOWN_INSTRUMENT, f"instrument {command.instrument} is not defined"
        )
    if command.phase is Phase.CONTINUOUS and state.accounts.revenue is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, "open the revenue account before trading begins")
    decided_at_ns = command.decided_at_ns
    if not 0 <= decided_at_ns <= UNITS_MAX:
        return refused(
            Refusal.MALFORMED, f"decided_at_ns must be 0 to {UNITS_MAX}, found {decided_at_ns}"
        )
    if decided_at_ns and decided_at_ns < book.phase_decided_at_ns:
        return refused(
            Refusal.STALE_VERSION,
            f"phase {book.phase.name} was decided at {book.phase_decided_at_ns}, "
            f"{command.phase.name} at {decided_at_ns}, which is before",
        )
    book.phase = command.phase
    book.phase_decided_at_ns = max(book.phase_decided_at_ns, decided_at_ns)
    return (PhaseChanged(command.instrument, command.phase),)


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
    # A fee above the whole amount would leave the seller owing; only a maker may be paid.
    if not -PARTS_PER_MILLION <= command.maker_fee_ppm <= PARTS_PER_MILLION:
        return f"maker_fee_ppm must be -10^6 to 10^6, found {command.maker_fee_ppm}"
    if not 0 <= command.taker_fee_ppm <= PARTS_PER_MILLION:
        return f"taker_fee_ppm must be 0 to 10^6, found {command.taker_fee_ppm}"
    return _tick_fault(command.tick_table)


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

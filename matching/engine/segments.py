"""Segments of the market: their index, and the circuit breaker on it.

Source of the breaker: KRX (global.krx.co.kr), "Circuit Breakers": stages by the index's fall, held
for one minute, a halt of 20 minutes, then a call auction of 10.
"""

from matching.engine.phases import enter_phase
from matching.engine.state import Events, Segment, State, refused
from matching.protocol.commands import BeginSession, DefineSegment
from matching.protocol.events import AnyEvent, BreakerTripped, SegmentDefined, SessionBegun
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    BREAKER_HOLD_NS_MIN,
    BREAKER_STAGES_MAX,
    CONSTITUENTS_MAX,
    DURATION_NS_MAX,
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    TIME_NS_MAX,
    UNITS_MAX,
    Phase,
)


def define_segment(state: State, sequence: int, command: DefineSegment) -> Events:
    """Create a segment or change its rules; base, stages and end of its session stay."""
    fault = _fault(command)
    if fault:
        return refused(Refusal.MALFORMED, fault)
    for instrument, _ in command.constituents:
        book = state.books.get(instrument)
        if book is None:
            return refused(Refusal.UNKNOWN_INSTRUMENT, f"instrument {instrument} is not defined")
        if book.segment not in (0, command.segment):
            return refused(
                Refusal.CONFLICTING_DEFINITION,
                f"instrument {instrument} is in segment {book.segment}",
            )
    segment = state.segments.get(command.segment)
    if segment is None:
        segment = state.segments[command.segment] = Segment(command)
    else:
        state.unwatch(segment)
        segment.define(command)
    state.join(segment)
    state.watch(segment)
    return (SegmentDefined(command),)


def begin_session(state: State, sequence: int, command: BeginSession) -> Events:
    """Begin a segment's day; again on the same trade date it only moves its end."""
    segment = state.segments.get(command.segment)
    if segment is None:
        return refused(Refusal.UNKNOWN_SEGMENT, f"segment {command.segment} is not defined")
    closes_at_ns = command.closes_at_ns
    if not 0 < closes_at_ns <= TIME_NS_MAX:
        return refused(
            Refusal.MALFORMED, f"closes_at_ns must be 1 to {TIME_NS_MAX}, found {closes_at_ns}"
        )
    day = state.accounts.trade_day
    if segment.day != day:
        state.unwatch(segment)
        segment.base_index, segment.tripped_index, segment.stage = segment.index, 0, 0
        segment.halted_until_ns, segment.day = 0, day
    segment.closes_at_ns = closes_at_ns
    state.watch(segment)
    return (SessionBegun(command.segment, segment.base_index, segment.closes_at_ns),)


def trip(state: State, segment: Segment, events: list[AnyEvent]) -> None:
    """Halt or close the segment: its next stage has been met for as long as it must be.

    A stage that does not close the market waits when the session is about to end.
    """
    definition = segment.definition
    stage = definition.stages[segment.stage]
    state.unwatch(segment)
    if stage.closes or segment.closes_at_ns - state.time_ns > definition.quiet_ns:
        segment.stage += 1
        segment.tripped_index = segment.index
        halt_ends_ns = state.time_ns + stage.halt_ns
        segment.halted_until_ns = segment.closes_at_ns if stage.closes else halt_ends_ns
        number, base, index = definition.segment, segment.base_index, segment.index
        events.append(BreakerTripped(number, segment.stage, base, index))
        for instrument in sorted(segment.weights):
            book = state.books[instrument]
            if book.phase in (Phase.CLOSED, Phase.HALTED):
                continue
            if stage.closes:
                enter_phase(state, book, Phase.CLOSED, 0, events, trading=False)
            else:
                book.reopening_ns = stage.auction_ns
                enter_phase(state, book, Phase.HALTED, halt_ends_ns, events)
    state.watch(segment)


def _fault(command: DefineSegment) -> str:
    """Return what is wrong with a definition in itself, or nothing."""
    members, stages = command.constituents, command.stages
    if not 0 < command.segment <= UNITS_MAX:
        return f"segment must be 1 to {UNITS_MAX}, found {command.segment}"
    if not 0 < len(members) <= CONSTITUENTS_MAX:
        return f"a segment has 1 to {CONSTITUENTS_MAX} constituents, found {len(members)}"
    if len({instrument for instrument, _ in members}) != len(members):
        return "an instrument is named twice"
    weights = [weight for _, weight in members]
    if min(weights) < 1 or sum(weights) * PRICE_TICKS_MAX > UNITS_MAX:
        return f"weights must be 1 or more, in sum {UNITS_MAX // PRICE_TICKS_MAX} or less"
    if len(stages) > BREAKER_STAGES_MAX:
        return f"a breaker has {BREAKER_STAGES_MAX} stages or less, found {len(stages)}"
    falls = [stage.fall_ppm for stage in stages]
    if falls != sorted(set(falls)) or any(not 0 < fall <= PARTS_PER_MILLION for fall in falls):
        return f"falls must rise from stage to stage, 1 to 10^6 ppm, found {falls}"
    for stage in stages:
        if not 0 <= stage.further_ppm <= PARTS_PER_MILLION:
            return f"further_ppm must be 0 to 10^6, found {stage.further_ppm}"
        times = (stage.halt_ns, stage.auction_ns)
        if min(times) < 0 or max(times) > DURATION_NS_MAX:
            return f"halt_ns and auction_ns must be 0 to {DURATION_NS_MAX}"
    if not BREAKER_HOLD_NS_MIN <= command.hold_ns <= DURATION_NS_MAX:
        return f"hold_ns must be {BREAKER_HOLD_NS_MIN} to {DURATION_NS_MAX}"
    if not 0 <= command.quiet_ns <= DURATION_NS_MAX:
        return f"quiet_ns must be 0 to {DURATION_NS_MAX}"
    return ""

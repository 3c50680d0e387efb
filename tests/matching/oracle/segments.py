"""Segments of the market, their index and their circuit breaker."""

from matching.protocol.commands import BeginSession, BreakerStage, DefineSegment
from matching.protocol.events import BreakerTripped, SegmentDefined, SessionBegun
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
from tests.matching.oracle.holdings import find_market
from tests.matching.oracle.phases import change_phase
from tests.matching.oracle.placing import day_of
from tests.matching.oracle.records import Segment, State, must


def define_segment(state: State, command: DefineSegment) -> None:
    must(_is_sound(command), Refusal.MALFORMED)
    for instrument, _ in command.constituents:
        find_market(state, instrument)
    taken = [
        instrument
        for segment in state.segments
        for instrument, _ in segment.definition.constituents
        if segment.definition.segment != command.segment
    ]
    free = not any(instrument in taken for instrument, _ in command.constituents)
    must(free, Refusal.CONFLICTING_DEFINITION)
    known = [each for each in state.segments if each.definition.segment == command.segment]
    if known:
        known[0].definition = command
        known[0].met_since_ns = None
    else:
        state.segments.append(Segment(command))
    state.events.append(SegmentDefined(command))


def _is_sound(command: DefineSegment) -> bool:
    instruments = [instrument for instrument, _ in command.constituents]
    weights = [weight for _, weight in command.constituents]
    falls = [stage.fall_ppm for stage in command.stages]
    times = [command.hold_ns, command.quiet_ns]
    for stage in command.stages:
        times += [stage.halt_ns, stage.auction_ns]
    return (
        0 < command.segment <= UNITS_MAX
        and 1 <= len(instruments) <= CONSTITUENTS_MAX
        and len(set(instruments)) == len(instruments)
        and all(weight >= 1 for weight in weights)
        and sum(weights) * PRICE_TICKS_MAX <= UNITS_MAX
        and len(falls) <= BREAKER_STAGES_MAX
        and falls == sorted(set(falls))
        and all(1 <= fall <= PARTS_PER_MILLION for fall in falls)
        and all(0 <= stage.further_ppm <= PARTS_PER_MILLION for stage in command.stages)
        and all(0 <= time <= DURATION_NS_MAX for time in times)
        and command.hold_ns >= BREAKER_HOLD_NS_MIN
    )


def find_segment(state: State, number: int) -> Segment:
    """Return the segment, or refuse the command."""
    found = [each for each in state.segments if each.definition.segment == number]
    must(found, Refusal.UNKNOWN_SEGMENT)
    return found[0]


def begin_session(state: State, command: BeginSession) -> None:
    segment = find_segment(state, command.segment)
    must(0 < command.closes_at_ns <= TIME_NS_MAX, Refusal.MALFORMED)
    if segment.base is None or segment.day != day_of(state.now_ns):
        segment.base = index(state, segment)
        segment.day = day_of(state.now_ns)
        segment.stage = segment.tripped_index = segment.halted_until_ns = 0
        segment.met_since_ns = None
    segment.closes_at_ns = command.closes_at_ns
    state.events.append(SessionBegun(command.segment, segment.base, command.closes_at_ns))


def index(state: State, segment: Segment) -> int:
    """Return the sum of weight times reference over the segment's instruments."""
    return sum(
        weight * find_market(state, instrument).reference
        for instrument, weight in segment.definition.constituents
    )


def next_stage(segment: Segment) -> BreakerStage | None:
    stages = segment.definition.stages
    return stages[segment.stage] if segment.stage < len(stages) else None


def is_met(state: State, segment: Segment) -> bool:
    """Tell whether the index stands as low as the next stage asks."""
    stage = next_stage(segment)
    if stage is None or not segment.base:
        return False
    now = index(state, segment) * PARTS_PER_MILLION
    if now > segment.base * (PARTS_PER_MILLION - stage.fall_ppm):
        return False
    further = segment.tripped_index * (PARTS_PER_MILLION - stage.further_ppm)
    return segment.stage == 0 or now <= further


def is_quiet(state: State, segment: Segment) -> bool:
    return segment.closes_at_ns - state.now_ns <= segment.definition.quiet_ns


def look_at_segments(state: State) -> None:
    """Note since when each segment's next stage has been met."""
    for segment in state.segments:
        if not is_met(state, segment):
            segment.met_since_ns = None
        elif segment.met_since_ns is None:
            segment.met_since_ns = state.now_ns


def trip(state: State, segment: Segment) -> None:
    """Let the next stage halt or close all instruments of the segment.

    One that does not close the market must be met anew when the session is about to end.
    """
    stage = next_stage(segment)
    segment.met_since_ns = None
    assert stage is not None and segment.base is not None and is_met(state, segment)
    if not stage.closes and is_quiet(state, segment):
        return
    segment.stage += 1
    segment.tripped_index = index(state, segment)
    halt_ends_ns = state.now_ns + stage.halt_ns
    segment.halted_until_ns = segment.closes_at_ns if stage.closes else halt_ends_ns
    number = segment.definition.segment
    state.events.append(BreakerTripped(number, segment.stage, segment.base, segment.tripped_index))
    for instrument, _ in sorted(segment.definition.constituents):
        market = find_market(state, instrument)
        if market.phase in (Phase.CLOSED, Phase.HALTED):
            continue
        if stage.closes:
            change_phase(state, market, Phase.CLOSED, uncrosses=False)
        else:
            market.auction_after_halt_ns = stage.auction_ns
            change_phase(state, market, Phase.HALTED, halt_ends_ns)

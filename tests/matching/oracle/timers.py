"""What happens by the clock: what is due, when, and in which order."""

from collections.abc import Callable
from functools import partial

from matching.protocol.commands import Advance
from matching.protocol.events import Advanced, IndicativeChanged
from matching.protocol.refusals import Refusal
from matching.protocol.units import INDICATIVE_NS, TIME_NS_MAX, CancelReason
from tests.matching.oracle.auctions import indicative
from tests.matching.oracle.book import end
from tests.matching.oracle.cancelling import miss_heartbeat
from tests.matching.oracle.following import follow_up
from tests.matching.oracle.phases import end_phase
from tests.matching.oracle.records import AUCTIONS, Market, State, must
from tests.matching.oracle.segments import look_at_segments, trip

Item = tuple[int, int, int, Callable[[], None]]


def advance(state: State, command: Advance) -> None:
    """Do all that is due, the earliest first."""
    must(0 <= command.draw < 2**32, Refusal.MALFORMED)
    while due_ns(state) <= state.now_ns:
        _, _, _, happen = min(timers(state, command.draw), key=lambda item: item[:3])
        happen()
        follow_up(state)
        look_at_segments(state)
    state.events.append(Advanced())


def due_ns(state: State) -> int:
    """Return when something is due next; `TIME_NS_MAX` for never."""
    return min((item[0] for item in timers(state, 0)), default=TIME_NS_MAX)


def timers(state: State, draw: int) -> list[Item]:
    """Return everything that waits for a time, as (time, kind, number, what happens)."""
    items: list[Item] = []
    for market in state.markets:
        number = market.number
        if market.ends_at_ns:
            ends_ns = market.ends_at_ns + market.moved_by_ns
            items.append((ends_ns, 1, number, partial(end_phase, state, market, draw)))
        for order in market.orders:
            if order.expires_ns:
                expire = partial(end, state, market, order, CancelReason.EXPIRED)
                items.append((order.expires_ns, 3, order.number, expire))
        if market.phase in AUCTIONS:
            items.append((market.tell_at_ns, 5, number, partial(_tell, state, market)))
    for segment in state.segments:
        if segment.met_since_ns is not None:
            trips_ns = segment.met_since_ns + segment.definition.hold_ns
            number = segment.definition.segment
            items.append((trips_ns, 2, number, partial(trip, state, segment)))
    for account in state.accounts:
        if account.heartbeat_due_ns:
            missed = partial(miss_heartbeat, state, account)
            items.append((account.heartbeat_due_ns, 4, account.number, missed))
    return items


def _tell(state: State, market: Market) -> None:
    """Tell what the auction would do now, if that differs from what was told last."""
    market.tell_at_ns = state.now_ns + INDICATIVE_NS
    now = indicative(market)
    if now != market.told:
        market.told = now
        state.events.append(IndicativeChanged(market.number, *now))

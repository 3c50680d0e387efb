"""kill -9 at every crash point under load: nothing acknowledged is lost, nothing is done twice."""

import signal

import pytest

from matching.protocol.events import AnyEvent, OrderAccepted, OrderRepeated, Refused
from matching.protocol.faults import ENGINE_POINTS
from tests.matching.processes import EngineHost, Following, Load

# Enough for fifteen publications, however fast the engine is.
PER_MEMBER = 4_000


def test_every_crash_point_of_the_engine_is_visited() -> None:
    (mark,) = test_engine_killed_under_load_loses_and_repeats_nothing.pytestmark  # type: ignore[attr-defined]
    assert mark.args == ("point", ENGINE_POINTS)


@pytest.mark.parametrize("point", ENGINE_POINTS)
def test_engine_killed_under_load_loses_and_repeats_nothing(host: EngineHost, point: str) -> None:
    host.valkey.start()
    host.start(crash_point=f"{point}:15")
    host.open_market()
    following = Following(host.address)
    load = Load(host, PER_MEMBER).start()
    assert host.wait() == -signal.SIGKILL
    load.join()

    alone = host.replay()
    host.start()
    restarted = host.status(with_state_hash=True)
    assert (restarted.sequence, restarted.state_hash) == (alone.sequence, alone.state_hash)
    by_sequence = {applied.sequence: applied for applied in host.applied()}
    for sequence, applied in load.acknowledged.items():
        assert by_sequence[sequence] == applied

    for member, orders in load.orders.items():
        answers = host.client().send_many(orders)
        known = load.answers[member]
        for first, again in zip(known, answers, strict=False):
            assert _order_id(again.events) == _order_id(first.events)
        assert not any(isinstance(answer.events[0], Refused) for answer in answers)

    status = host.status(with_state_hash=True)
    following.wait_for(status.sequence)
    following.stop()
    final = host.applied()
    assert following.applied == final
    accepted = [
        event for each in final for event in each.events if isinstance(event, OrderAccepted)
    ]
    names = [(event.account, event.client_order_id) for event in accepted]
    assert len(names) == len(set(names)) == 3 * PER_MEMBER
    assert host.stop() == 0
    assert host.replay().state_hash == status.state_hash


def _order_id(events: tuple[AnyEvent, ...]) -> int:
    first = events[0]
    assert isinstance(first, OrderAccepted | OrderRepeated), first
    return first.order_id

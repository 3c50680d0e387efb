"""Leader and standby as real processes: killed, stopped, brought back, at every step of theirs."""

import json
import signal
import socket
from collections.abc import Iterator
from functools import partial
from time import monotonic

import pytest

from matching.journal import leading
from matching.journal.format import segments
from matching.protocol.events import OrderAccepted, OrderRepeated
from matching.protocol.faults import (
    ENGINE_POINTS,
    HANDOVER_POINTS,
    REPLICATION_POINTS,
    STANDBY_POINTS,
)
from matching.protocol.queries import GetStatus, Status
from matching.runtime.lease import STANDING
from tests.matching.market import ALICE, BOB, CAROL
from tests.matching.processes import EngineHost, Following, Load, flow
from tests.waiting import wait_until

PER_MEMBER = 2_000
# An order is answered again within this; what it takes here is printed.
PATIENCE_S = 30.0
LEADER_POINTS = (*ENGINE_POINTS, *REPLICATION_POINTS[:2])


@pytest.fixture
def leader(host: EngineHost) -> EngineHost:
    """The first engine of two, not started yet, beside a Valkey."""
    host.valkey.start()
    return host


@pytest.fixture
def standby(leader: EngineHost) -> Iterator[EngineHost]:
    """The second engine, not started yet."""
    twin = leader.twin("standby")
    yield twin
    twin.end()


@pytest.fixture
def pair(leader: EngineHost, standby: EngineHost) -> EngineHost:
    """An engine that leads an open market, with a standby in step."""
    leader.start()
    leader.open_market()
    standby.stand_by()
    return leader


def _holders(host: EngineHost) -> list[str]:
    holders: list[str] = json.loads((host.journal / STANDING).read_bytes())["holders"]
    return holders


def acknowledged(load: Load, count: int) -> bool:
    return len(load.acknowledged) > count


def nothing_lost_or_repeated(host: EngineHost, load: Load, following: Following) -> None:
    """Assert that all was answered, that every answer is true, and that followers saw it once."""
    applied = host.applied()
    by_sequence = {each.sequence: each for each in applied}
    for member, orders in load.orders.items():
        answers = load.answers[member]
        assert len(answers) == len(orders)
        for answer in answers:
            first = answer.events[0]
            assert isinstance(first, OrderAccepted | OrderRepeated), first
            assert by_sequence[answer.sequence].events == answer.events
    accepted = [
        (event.account, event.client_order_id)
        for each in applied
        for event in each.events
        if isinstance(event, OrderAccepted)
    ]
    assert len(accepted) == len(set(accepted)) == sum(map(len, load.orders.values()))
    following.wait_for(applied[-1].sequence)
    following.stop()
    assert following.applied == applied
    status = host.status(with_state_hash=True)
    assert host.replay().state_hash == status.state_hash


def test_standby_goes_on_when_the_leader_is_killed_under_load(
    pair: EngineHost, standby: EngineHost
) -> None:
    following = Following(pair.address)
    load = Load(pair, PER_MEMBER, patience_s=PATIENCE_S).start()
    wait_until(lambda: len(load.acknowledged) > PER_MEMBER)
    pair.kill()
    killed_at = monotonic()
    wait_until(lambda: standby._answers())
    print(f"the standby answered {monotonic() - killed_at:.3f} s after the leader's death")
    load.join()
    assert standby.status().epoch == 2
    assert leading(pair.journal).resolve() == standby.own_journal.resolve()
    nothing_lost_or_repeated(standby, load, following)

    # The old leader comes back, is fed, and leads again when the new one dies.
    pair.stand_by()
    assert _holders(pair) == ["standby", ""]
    before = pair.status(with_state_hash=True)
    standby.kill()
    wait_until(pair._answers)
    after = pair.status(with_state_hash=True)
    assert (after.epoch, after.sequence, after.state_hash) == (
        3,
        before.sequence,
        before.state_hash,
    )


@pytest.mark.parametrize("point", LEADER_POINTS)
def test_leader_killed_at_any_step_loses_and_repeats_nothing(
    leader: EngineHost, standby: EngineHost, point: str
) -> None:
    leader.start(crash_point=f"{point}:{30 if point != 'engine.after_publish' else 12}")
    leader.open_market()
    standby.stand_by()
    following = Following(leader.address)
    load = Load(leader, PER_MEMBER, patience_s=PATIENCE_S).start()
    assert leader.wait() == -signal.SIGKILL
    leader.launch()
    load.join()
    wait_until(standby.in_step)
    nothing_lost_or_repeated(standby, load, following)
    assert standby.stop() == 0
    wait_until(leader._answers)
    assert leader.replay(journal=leader.own_journal).sequence == leader.status().sequence


@pytest.mark.parametrize("point", REPLICATION_POINTS[2:])
def test_leader_killed_around_the_record_leaves_one_that_may_lead(
    leader: EngineHost, standby: EngineHost, point: str
) -> None:
    """The second record is that the leader goes on alone."""
    leader.start(crash_point=f"{point}:2")
    leader.open_market()
    standby.stand_by()
    load = Load(leader, PER_MEMBER, patience_s=PATIENCE_S).start()
    following = Following(leader.address)
    standby.kill()
    assert leader.wait() == -signal.SIGKILL
    alone = point == "replication.after_record"
    assert _holders(leader) == ([""] if alone else ["", "standby"])
    standby.launch()
    if alone:
        wait_until(lambda: "not_taking_over" in standby.log)
        leader.start()
    load.join()
    nothing_lost_or_repeated(leader if alone else standby, load, following)


@pytest.mark.parametrize("point", STANDBY_POINTS[:3])
def test_standby_killed_at_any_step_stops_nobody(
    leader: EngineHost, standby: EngineHost, point: str
) -> None:
    leader.start()
    leader.open_market()
    following = Following(leader.address)
    standby.launch(crash_point=f"{point}:30")
    load = Load(leader, PER_MEMBER).start()
    assert standby.wait() == -signal.SIGKILL
    load.join()
    standby.stand_by()
    nothing_lost_or_repeated(leader, load, following)
    leader.kill()
    wait_until(standby._answers)
    assert standby.replay().sequence == leader.status().sequence


@pytest.mark.parametrize("point", STANDBY_POINTS[3:])
def test_standby_killed_while_it_takes_over_leads_when_it_is_started_again(
    leader: EngineHost, standby: EngineHost, point: str
) -> None:
    leader.start()
    leader.open_market()
    standby.stand_by(crash_point=point)
    following = Following(leader.address)
    load = Load(leader, PER_MEMBER, patience_s=PATIENCE_S).start()
    wait_until(lambda: len(load.acknowledged) > 100)
    leader.kill()
    assert standby.wait() == -signal.SIGKILL
    leader.launch()
    standby.start()
    load.join()
    assert standby.status().epoch == 3
    nothing_lost_or_repeated(standby, load, following)


def test_every_step_is_visited() -> None:
    assert {*LEADER_POINTS, *REPLICATION_POINTS, *STANDBY_POINTS} == {
        *ENGINE_POINTS,
        *REPLICATION_POINTS,
        *STANDBY_POINTS,
    }


def test_leader_goes_on_without_a_standby_that_stands_still(
    pair: EngineHost, standby: EngineHost
) -> None:
    following = Following(pair.address)
    load = Load(pair, PER_MEMBER).start()
    wait_until(lambda: len(load.acknowledged) > 100)
    standby.signal(signal.SIGSTOP)
    load.join()
    assert not pair.status().standby
    assert _holders(pair) == [""]
    # It lacks what was answered meanwhile, and knows it.
    pair.kill()
    standby.signal(signal.SIGCONT)
    wait_until(lambda: "not_taking_over" in standby.log)
    assert "was not in step when epoch 1 ended" in standby.log
    pair.start()
    wait_until(standby.in_step)
    nothing_lost_or_repeated(pair, load, following)


def test_old_leader_that_missed_something_is_refused(pair: EngineHost, standby: EngineHost) -> None:
    pair.kill()
    wait_until(standby._answers)
    assert "is held by process" in pair.run("run", NEXUS_ENGINE_FEED="").stderr
    standby.client().send_many(flow(ALICE, 10))
    assert standby.stop() == 0
    refused = pair.run("run", NEXUS_ENGINE_FEED="")
    assert refused.returncode == 1
    assert "was not in step when epoch 2 ended: start 'standby'" in refused.stderr


def test_batch_that_nobody_was_told_of_is_cut_from_the_standbys_journal(
    leader: EngineHost, standby: EngineHost
) -> None:
    """The standby holds what the leader could not write any more; both die; the leader leads."""
    leader.start(crash_point="replication.batch_held:30")
    leader.open_market()
    standby.stand_by(crash_point="standby.after_lease")
    load = Load(leader, PER_MEMBER).start()
    assert leader.wait() == standby.wait() == -signal.SIGKILL
    load.join()
    held = standby.replay(journal=standby.own_journal).sequence
    assert leader.replay(journal=leader.own_journal).sequence < held
    # As if the standby had not come to take the lease.
    (leader.journal / STANDING).write_text('{"epoch": 1, "holders": ["", "standby"]}')
    leader.start()
    leader.client().send_many(flow(CAROL, 10))
    standby.stand_by()
    assert "journal_cut" in standby.log
    leader.client().send_many(flow(BOB, 20))
    wait_until(lambda: leader.status().standby)
    leader.kill()
    wait_until(standby._answers)
    assert standby.replay().state_hash == standby.status(with_state_hash=True).state_hash


def test_journal_of_another_life_is_refused(pair: EngineHost, standby: EngineHost) -> None:
    pair.client().send_many(flow(ALICE, 300))
    standby.end()
    pair.kill()
    for _, segment in segments(pair.own_journal):
        segment.unlink()
    pair.valkey.kill()
    pair.valkey.start()
    pair.start()
    pair.open_market()
    standby.launch()
    assert standby.wait() == 1
    assert "JournalParted" in standby.log and "move the folder away" in standby.log
    assert not pair.status().standby


def test_no_client_notices_a_hand_over_under_load(pair: EngineHost, standby: EngineHost) -> None:
    """More clients than fit beside one message, and none that would connect again."""
    following = Following(pair.address)
    idle = [pair.client() for _ in range(250)]
    for client in idle:
        client.ask(GetStatus())
    load = Load(pair, 3 * PER_MEMBER, patience_s=0).start()
    leading, other = pair, standby
    for epoch in (2, 3, 4):
        wait_until(partial(acknowledged, load, (epoch - 1) * PER_MEMBER))
        done = leading.run("handover")
        assert done.returncode == 0, done.stderr
        assert leading.wait() == 0
        leading, other = other, leading
        other.stand_by()
    load.join()
    for client in idle:
        status = client.ask(GetStatus())
        assert isinstance(status, Status) and status.epoch == 4
    nothing_lost_or_repeated(leading, load, following)


def test_clients_find_the_standby_themselves_where_sockets_cannot_travel(
    leader: EngineHost, standby: EngineHost
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        feed = f"127.0.0.1:{free.getsockname()[1]}"
    leader.feed = standby.feed = feed
    leader.start()
    leader.open_market()
    standby.stand_by()
    following = Following(leader.address)
    load = Load(leader, PER_MEMBER, patience_s=PATIENCE_S).start()
    wait_until(partial(acknowledged, load, 100))
    assert leader.run("handover").stdout == "standby leads\n"
    assert leader.wait() == 0
    leader.stand_by()
    load.join()
    assert standby.status().epoch == 2
    nothing_lost_or_repeated(standby, load, following)


def test_hand_over_is_refused_without_a_standby_in_step(leader: EngineHost) -> None:
    leader.twin("standby")
    leader.start()
    done = leader.run("handover")
    assert done.returncode == 1
    assert "no standby holds everything" in done.stderr
    assert leader.status().epoch == 1


@pytest.mark.parametrize("point", HANDOVER_POINTS)
def test_engine_killed_in_a_hand_over_loses_nothing(
    leader: EngineHost, standby: EngineHost, point: str
) -> None:
    """The leader dies half way: the standby leads. The standby dies: the leader leads on."""
    of_leader = point == "handover.half_given"
    leader.start(crash_point=point if of_leader else "")
    leader.open_market()
    standby.stand_by(crash_point="" if of_leader else point)
    following = Following(leader.address)
    load = Load(leader, PER_MEMBER, patience_s=PATIENCE_S).start()
    wait_until(lambda: len(load.acknowledged) > 100)
    assert leader.run("handover").returncode == 1
    died, lives = (leader, standby) if of_leader else (standby, leader)
    assert died.wait() == -signal.SIGKILL
    load.join()
    assert lives.status().epoch == (2 if of_leader else 1)
    nothing_lost_or_repeated(lives, load, following)

"""The lease in PostgreSQL: terms that run out, epochs that rise, an old leader that is refused."""

import signal
import uuid
from collections.abc import Iterator
from time import monotonic

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from matching.runtime.lease import LeaseHeld, LeaseLost, LeaseUnreachable, NotInSync, Standing
from matching.runtime.row_lease import RowLease
from tests.matching.processes import EngineHost, Following, Load
from tests.matching.runtime.test_failover import (
    PATIENCE_S,
    PER_MEMBER,
    acknowledged,
    nothing_lost_or_repeated,
)
from tests.waiting import wait_until


@pytest.fixture
def url(django_db_setup: None) -> str:
    """Where the session's PostgreSQL is."""
    told = connection.settings_dict
    return make_conninfo(
        host=told["HOST"], port=told["PORT"] or None, user=told["USER"], dbname=told["NAME"],
        password=told["PASSWORD"] or None,
    )  # fmt: skip


@pytest.fixture
def pair(url: str) -> Iterator[tuple[EngineHost, EngineHost]]:
    """A leader and a standby in step, with an open market and the lease in PostgreSQL."""
    leader = EngineHost(lease_url=url)
    standby = leader.twin("standby")
    leader.valkey.start()
    leader.start()
    leader.open_market()
    standby.stand_by()
    yield leader, standby
    standby.end()
    leader.close()


def test_lease_is_one_engines_until_its_term_ends(url: str) -> None:
    instance = str(uuid.uuid4())
    first, second, third = (
        RowLease(url, instance, name, Standing(4, ("",))) for name in ("", "b", "c")
    )
    first.take()
    first.record(("", "b"))
    assert (first.epoch, first.standing()) == (5, Standing(5, ("", "b")))
    with pytest.raises(LeaseHeld, match="under epoch 5"):
        second.take()
    first._released.set()  # as a process that stands still, it renews no more
    wait_until(lambda: not first.valid())
    with pytest.raises(LeaseLost):
        first.record(("",))
    with pytest.raises(NotInSync):
        third.take()
    second.take()
    assert (second.epoch, second.standing()) == (6, Standing(6, ("b",)))
    until = second._until
    wait_until(lambda: second._until > until)
    second.release()
    assert not second.valid()
    second.take()
    assert second.epoch == 7
    second.release()


def test_lease_that_cannot_be_reached_is_nobodys() -> None:
    lease = RowLease("host=/nowhere", str(uuid.uuid4()), "", Standing())
    with pytest.raises(LeaseHeld, match="cannot be reached"):
        lease.take()
    with pytest.raises(LeaseUnreachable):
        lease.standing()
    with pytest.raises(LeaseLost):
        lease.record(("",))


def test_leader_that_stood_still_is_followed_and_then_silent(
    pair: tuple[EngineHost, EngineHost],
) -> None:
    leader, standby = pair
    following = Following(leader.address)
    load = Load(leader, PER_MEMBER, patience_s=PATIENCE_S, timeout_s=2).start()
    wait_until(lambda: acknowledged(load, 100))
    leader.signal(signal.SIGSTOP)
    stopped_at = monotonic()
    wait_until(lambda: '"ready"' in standby.log)
    print(f"the standby led {monotonic() - stopped_at:.3f} s after the leader stood still")
    leader.signal(signal.SIGCONT)
    assert leader.wait() == 1
    assert "LeaseLost" in leader.log
    leader.stand_by()
    load.join()
    assert standby.status().epoch == 2
    nothing_lost_or_repeated(standby, load, following)


def test_standby_leads_within_two_terms_of_the_leaders_death(
    pair: tuple[EngineHost, EngineHost],
) -> None:
    leader, standby = pair
    following = Following(leader.address)
    load = Load(leader, PER_MEMBER, patience_s=PATIENCE_S).start()
    wait_until(lambda: acknowledged(load, 100))
    leader.kill()
    killed_at = monotonic()
    wait_until(standby._answers)
    print(f"the standby answered {monotonic() - killed_at:.3f} s after the leader's death")
    load.join()
    nothing_lost_or_repeated(standby, load, following)

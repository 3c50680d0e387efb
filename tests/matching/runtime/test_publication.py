"""Publication and recovery: fencing, gaps, trimming, and what must not be forgotten."""

import threading
import uuid
from collections.abc import Iterator
from functools import partial

import pytest

from matching.journal.format import segments
from matching.protocol.codec import StreamEntry, joined
from matching.protocol.events import Applied, OrdersCancelled
from matching.runtime import publisher as publishing
from matching.runtime.publisher import Publisher, published_sequence
from matching.snapshot import snapshots
from matching.stream import AlreadyBehind, Place, Stream
from tests.matching.market import ALICE, BOB, CAROL
from tests.matching.processes import EngineHost, Following, Load, flow
from tests.waiting import wait_until


def _entry(sequence: int, commands: int = 1) -> StreamEntry:
    """A batch of so many commands that ends with this sequence."""
    first = sequence - commands + 1
    sequences = range(first, sequence + 1)
    return StreamEntry(first - 1, tuple(Applied(n, n, (OrdersCancelled(1, n),)) for n in sequences))


def _entries(stream: Stream) -> list[StreamEntry]:
    return [found.entry for found in stream.read(Place(0, 0), 1_000) if found.entry]


def _passed(host: EngineHost, sequence: int) -> bool:
    return host.status().sequence > sequence


def _never() -> None:
    pytest.fail("fenced")


@pytest.fixture
def stream(host: EngineHost) -> Iterator[Stream]:
    host.valkey.start()
    stream = Stream(host.valkey.url, str(uuid.uuid4()), block_ms=20)
    yield stream
    stream.close()


def test_batches_are_published_once_each_in_order(stream: Stream) -> None:
    publisher = Publisher(stream, 1, 0, _never)
    publisher.start(_entry(sequence) for sequence in range(1, 50))
    for sequence in range(50, 301):
        publisher.submit(_entry(sequence))
    publisher.close(10)
    assert publisher.published_sequence == published_sequence(stream) == 300
    found = stream.read(Place(0, 0), 1_000)
    assert joined(_entries(stream)) == _entry(300, 300)
    ends = [0, *(entry.last_sequence for entry in _entries(stream))]
    assert [each.place for each in found] == [Place(1, sequence) for sequence in ends]


def test_batches_that_wait_share_entries_of_a_thousand_commands(stream: Stream) -> None:
    waiting = [_entry(600, 600), _entry(1_200, 600), _entry(1_600, 400), _entry(2_600, 1_000)]
    publisher = Publisher(stream, 1, 0, _never)
    publisher.start(waiting)
    publisher.close(10)
    assert _entries(stream) == [_entry(600, 600), _entry(1_600, 1_000), _entry(2_600, 1_000)]


def test_publishing_again_under_the_same_epoch_changes_nothing(stream: Stream) -> None:
    for _ in range(2):
        publisher = Publisher(stream, 1, 0, _never)
        publisher.start(_entry(sequence) for sequence in range(1, 6))
        publisher.close(10)
        assert publisher.published_sequence == 5
    assert _entries(stream) == [_entry(5, 5)]


def test_older_epoch_is_refused_by_redis_and_told_so(stream: Stream) -> None:
    fenced = threading.Event()
    old = Publisher(stream, 1, 0, fenced.set)
    old.start([_entry(1)])
    wait_until(lambda: old.published_sequence == 1)
    new = Publisher(stream, 2, 1, _never)
    new.start([])
    wait_until(lambda: stream.read(Place(1, 1), 1))
    old.submit(_entry(2))
    assert fenced.wait(10)
    assert "epoch 2, ours is 1" in str(old.fenced)
    assert published_sequence(stream) == 1
    with pytest.raises(AlreadyBehind):
        stream.fence(1, 1)
    new.submit(_entry(2))
    new.close(10)
    assert published_sequence(stream) == 2


def test_overflow_drops_the_oldest_and_shows_the_gap(
    stream: Stream, host: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "QUEUED_COMMANDS_MAX", 10)
    host.valkey.kill()
    publisher = Publisher(stream, 1, 0, _never)
    publisher.start([])
    for sequence in range(1, 101):
        publisher.submit(_entry(sequence))
    host.valkey.start()
    wait_until(lambda: publisher.published_sequence == 100)
    publisher.close(10)
    assert joined(_entries(stream)) == _entry(100, 10)


def test_stream_is_trimmed_behind_the_slowest_follower(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "TRIM_S", 0.0)
    stream.report("slow", 1_000)
    stream.report("fast", 1_900)
    publisher = Publisher(stream, 1, 0, _never)
    monkeypatch.setattr(publishing, "ENTRY_COMMANDS_MAX", 1)
    publisher.start(_entry(sequence) for sequence in range(1, 2_001))
    wait_until(lambda: publisher.published_sequence == 2_000)
    wait_until(lambda: stream.read(Place(0, 0), 1)[0].place.sequence >= 800)
    first = stream.read(Place(0, 0), 1)[0].place.sequence
    assert 800 <= first <= 1_000
    monkeypatch.setattr(publishing, "STREAM_COMMANDS_MAX", 400)
    wait_until(lambda: stream.read(Place(0, 0), 1)[0].place.sequence > 1_400, timeout_s=15)
    publisher.close(10)


def test_followers_see_each_sequence_once_while_redis_is_killed_and_flushed(
    running: EngineHost, following: Following
) -> None:
    late = Following(running.address, "late", after_sequence=10)
    last = running.status().sequence + 3 * 4_000
    load = Load(running, 4_000).start()
    wait_until(lambda: running.status().sequence > 1_000)
    running.valkey.kill()
    wait_until(lambda: running.status().sequence > 4_000)
    running.valkey.start()
    with running.valkey.client() as client:
        for _ in range(3):
            sequence = running.status().sequence
            wait_until(partial(_passed, running, min(sequence + 1_500, last - 1)))
            client.flushall()
    load.join()
    status = running.status(with_state_hash=True)
    with running.valkey.client() as client:
        client.flushall()
    for each in (following, late):
        each.wait_for(status.sequence)
        each.stop()
    applied = running.applied()
    assert following.applied == applied
    assert late.applied == applied[10:]
    assert sum(len(answers) for answers in load.answers.values()) == 3 * 4_000
    assert all(answer.sequence for answers in load.answers.values() for answer in answers)
    assert running.stop() == 0
    assert running.replay().state_hash == status.state_hash


def test_restart_publishes_what_redis_lacks(running: EngineHost) -> None:
    running.client().send_many(flow(ALICE, 500))
    sequence = running.status().sequence
    wait_until(lambda: running.status().published_sequence == sequence)
    with running.valkey.client() as client:
        client.flushall()
    assert running.stop() == 0
    running.start()
    wait_until(lambda: running.status().published_sequence == sequence)
    stream = Stream(running.valkey.url, running.address.instance, block_ms=20)
    assert list(joined(_entries(stream)).applied) == running.applied()
    stream.close()


def test_engine_starts_and_trades_without_redis(host: EngineHost) -> None:
    host.start()
    host.open_market()
    following = Following(host.address)
    load = Load(host, 300).start()
    load.join()
    following.wait_for(host.status().sequence)
    host.valkey.start()
    host.client().send_many(flow(ALICE, 301)[300:])
    sequence = host.status().sequence
    wait_until(lambda: host.status().published_sequence == sequence)
    following.wait_for(sequence)
    following.stop()
    assert following.applied == host.applied()


def test_journal_that_ends_before_what_was_published_is_refused(running: EngineHost) -> None:
    for member in (ALICE, BOB, CAROL):
        running.client().send_many(flow(member, 50))
    sequence = running.status().sequence
    wait_until(lambda: running.status().published_sequence == sequence)
    assert running.stop() == 0
    (_, segment) = segments(running.journal)[-1]
    data = segment.read_bytes().rstrip(b"\0")
    with segment.open("r+b") as file:
        file.seek(len(data) - 30)
        file.write(bytes(30))
    done = running.run("run")
    assert done.returncode == 1
    assert f"sequence {sequence} was reached" in done.stderr


def test_snapshot_process_writes_what_a_start_uses(running: EngineHost) -> None:
    running.client().send_many(flow(ALICE, 300))
    done = running.run("snapshot")
    assert done.returncode == 0, done.stderr
    running.client().send_many(flow(BOB, 300))
    assert running.run("snapshot").returncode == 0
    running.client().send_many(flow(CAROL, 100))
    status = running.status(with_state_hash=True)
    assert running.stop() == 0
    (newest, path), (older, _) = snapshots(running.journal)
    assert running.replay("--snapshot").from_sequence == newest
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    replayed = running.replay("--snapshot")
    assert (replayed.from_sequence, replayed.state_hash) == (older, status.state_hash)
    running.start()
    assert running.status(with_state_hash=True).state_hash == status.state_hash
    assert f'"snapshot":{older}' in running.log and "snapshot_damaged" in running.log


def test_engine_that_was_fenced_ends_with_the_reason(running: EngineHost) -> None:
    stream = Stream(running.valkey.url, running.address.instance)
    stream.fence(7, 0)
    running.client().send_many(flow(ALICE, 10))
    assert running.wait() == 1
    assert "is at epoch 7, ours is 1" in running.log
    stream.close()

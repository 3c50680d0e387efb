"""Following: every sequence once, in order, whatever stream and journal do."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from matching.client import EngineAddress, FollowFailed, follow
from matching.engine import Engine
from matching.journal import JournalReader, JournalWriter
from matching.journal.format import SEGMENT_BYTES_MIN
from matching.protocol.codec import StreamEntry, encode, joined
from matching.protocol.commands import Sequenced
from matching.protocol.events import Applied, OrdersCancelled
from matching.runtime.publisher import published_sequence
from matching.snapshot import write_snapshot
from matching.stream import Stream
from tests.matching.market import ALICE, SELL, opening, order
from tests.matching.processes import EngineHost, Following

BATCH = 5


class Source:
    """A journal and a stream that a test fills by hand, batch by batch."""

    def __init__(self, host: EngineHost) -> None:
        self.address = host.address
        self.host = host
        host.journal.mkdir()
        self.journal = JournalWriter(
            host.journal,
            host.address.instance,
            end=JournalReader(host.journal),
            segment_bytes=SEGMENT_BYTES_MIN,
        )
        self.stream = Stream(host.address.redis_url, host.address.instance)
        self.engine = Engine()
        self.applied: list[Applied] = []

    def batch(self) -> StreamEntry:
        """Journal and apply the next batch; publish it or not is the test's choice."""
        after = self.engine.sequence
        commands = opening() if not after else []
        commands += [
            order(ALICE, SELL, 100, 1, client_order_id=f"o{after}-{n}") for n in range(BATCH)
        ]
        records = [Sequenced(after + n, after + n, each) for n, each in enumerate(commands, 1)]
        self.journal.append(records)
        applied = tuple([self.engine.apply(record) for record in records])
        self.applied += applied
        return StreamEntry(after, applied)

    def publish(self, epoch: int, *entries: StreamEntry) -> None:
        assert not any(self.stream.publish(epoch, entries))


@pytest.fixture
def source(host: EngineHost) -> Iterator[Source]:
    host.valkey.start()
    source = Source(host)
    yield source
    source.journal.close()
    source.stream.close()


def _take(source: Source, after_sequence: int = 0, **options: bool) -> list[Applied]:
    """Return what a new follower gets from a position until it has caught up."""
    found: list[Applied] = []
    entries = follow(
        source.address,
        follower="test",
        after_sequence=after_sequence,
        block_ms=20,
        **options,
    )
    idle = 0
    while idle < 4 and (not found or found[-1].sequence < source.engine.sequence):
        entry = next(entries)
        if entry is None:
            idle += 1
        else:
            assert entry.after_sequence == (found[-1].sequence if found else after_sequence)
            found += entry.applied
    entries.close()
    return found


def test_follower_reads_the_stream_from_any_position(source: Source) -> None:
    source.publish(1, *[source.batch() for _ in range(4)])
    for position in range(len(source.applied)):
        assert _take(source, position) == source.applied[position:]
    assert _take(source, len(source.applied)) == []


def test_follower_reads_the_journal_when_there_is_no_redis(source: Source) -> None:
    for _ in range(4):
        source.batch()
    source.host.valkey.kill()
    assert _take(source) == source.applied
    assert _take(source, 30) == source.applied[30:]


def test_journal_alone_is_read_and_no_position_told(source: Source) -> None:
    for _ in range(2):
        source.batch()
    assert _take(source, 3, journal_only=True) == source.applied[3:]
    assert source.stream.positions() == []


@pytest.mark.parametrize("source_of", ["stream", "journal"])
def test_what_was_read_at_once_is_one_entry_when_gathered(source: Source, source_of: str) -> None:
    entries = [source.batch() for _ in range(4)]
    if source_of == "stream":
        source.publish(1, *entries)
    following = follow(
        source.address,
        follower="test",
        after_sequence=entries[0].last_sequence,
        block_ms=20,
        gather_ms=1,
        journal_only=source_of == "journal",
    )
    assert next(following) == StreamEntry(
        entries[0].last_sequence, tuple(each for entry in entries[1:] for each in entry.applied)
    )
    assert next(following) is None
    following.close()


@pytest.mark.parametrize("lost", [{0}, {1}, {2, 3}, {0, 2, 4}, {5}, {0, 1, 2, 3, 4, 5}])
def test_gap_in_the_stream_is_filled_from_the_journal(source: Source, lost: set[int]) -> None:
    for place in range(6):
        entry = source.batch()
        if place not in lost:
            source.publish(1, entry)
    assert _take(source) == source.applied
    assert _take(source, 33) == source.applied[33:]


@pytest.mark.parametrize(
    "fields",
    [
        {b"entry": b"\xc1"},
        {b"entry": b"\x92\x00\x90"},
        {b"entry": b"\x91" * 5_000},
        {b"entry": encode(StreamEntry(0, (Applied(1, 1, (OrdersCancelled(1, 0),)),)))},
        {b"fence": b"many"},
        {b"noise": b""},
    ],
    ids=["no message", "no command", "deep", "another sequence", "no number", "no entry"],
)
def test_garbled_entry_is_filled_from_the_journal(
    source: Source, fields: dict[bytes, bytes]
) -> None:
    source.publish(1, source.batch())
    garbled = source.batch()
    with source.host.valkey.client() as client:
        client.xadd(
            source.stream.name,
            {**fields, b"instance": source.address.instance.encode()},
            f"1-{garbled.last_sequence}",
        )
    assert published_sequence(source.stream) is None
    source.publish(1, source.batch())
    assert _take(source) == source.applied
    assert _take(source, garbled.last_sequence - 1) == source.applied[garbled.last_sequence - 1 :]


def test_gap_is_filled_from_the_newest_snapshot_that_fits(source: Source) -> None:
    entries = [source.batch() for _ in range(3)]
    write_snapshot(source.address.journal_dir, source.address.instance, source.engine)
    source.publish(1, source.batch(), source.batch())
    assert _take(source, entries[2].last_sequence) == source.applied[entries[2].last_sequence :]
    assert _take(source, entries[1].last_sequence) == source.applied[entries[1].last_sequence :]


def test_position_is_found_over_epochs(source: Source) -> None:
    for epoch in (1, 2, 3):
        source.stream.fence(epoch, source.engine.sequence)
        source.publish(epoch, *[source.batch() for _ in range(2)])
    source.stream.fence(4, source.engine.sequence)
    source.stream.fence(5, source.engine.sequence)
    for position in range(0, len(source.applied), 3):
        assert _take(source, position) == source.applied[position:]


def test_entries_published_again_under_a_new_epoch_are_seen_once(source: Source) -> None:
    entries = [source.batch() for _ in range(4)]
    source.publish(1, *entries[:3])
    source.stream.fence(2, 0)
    source.publish(2, *entries[1:])
    for position in (0, 20, 31, 36):
        assert _take(source, position) == source.applied[position:]


def test_batches_published_again_within_a_longer_entry_are_seen_once(source: Source) -> None:
    first, second = source.batch(), source.batch()
    source.publish(1, first)
    following = follow(source.address, follower="f", after_sequence=0)
    assert next(following) == first
    source.publish(1, joined([first, second]))
    assert next(following) == second
    following.close()


def test_follower_that_waits_gets_what_a_flush_took_before_it_read(source: Source) -> None:
    source.publish(1, source.batch())
    following = Following(source.address)
    following.wait_for(source.engine.sequence)
    for _ in range(3):
        source.batch()
    with source.host.valkey.client() as client:
        client.flushall()
    following.wait_for(source.engine.sequence)
    source.publish(1, source.batch(), source.batch())
    following.wait_for(source.engine.sequence)
    following.stop()
    assert following.applied == source.applied


def test_position_is_reported_once_the_caller_comes_back(source: Source) -> None:
    source.publish(1, source.batch())
    entries = follow(source.address, follower="ledger", after_sequence=2, block_ms=20)
    assert next(entries)
    assert source.stream.positions() == [2]
    entries.close()
    _take(source, len(source.applied) - 1)
    assert sorted(source.stream.positions()) == [2, len(source.applied) - 1]


def test_position_beyond_the_journal_is_refused(source: Source) -> None:
    source.batch()
    with pytest.raises(FollowFailed, match=f"is at 77, .* ends at {source.engine.sequence}"):
        _take(source, 77)


def test_journal_of_another_instance_is_refused_naming_both(source: Source) -> None:
    source.batch()
    other = str(uuid.UUID(int=5))
    address = msgspec.structs.replace(source.address, instance=other)
    with pytest.raises(FollowFailed, match=f"{source.address.instance}, expected .* {other}"):
        next(follow(address, follower="test", after_sequence=0, block_ms=20))


def test_stream_of_another_instance_is_refused_naming_both(source: Source, tmp_path: Path) -> None:
    source.publish(1, source.batch())
    other = str(uuid.UUID(int=5))
    address = EngineAddress(
        source.address.socket_path, tmp_path / "none", source.address.redis_url, other
    )
    with source.host.valkey.client() as client:
        client.rename(source.address.stream, address.stream)
    with pytest.raises(FollowFailed, match=f"{source.address.instance}, expected .* {other}"):
        next(follow(address, follower="test", after_sequence=0, block_ms=20))


def test_damaged_journal_is_refused_by_name(source: Source) -> None:
    for _ in range(3):
        source.batch()
    (segment,) = source.address.journal_dir.glob("*.journal")
    data = bytearray(segment.read_bytes())
    data[200] ^= 1
    segment.write_bytes(data)
    with pytest.raises(FollowFailed, match=segment.name):
        _take(source)

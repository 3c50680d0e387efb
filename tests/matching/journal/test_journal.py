"""The journal on disk: torn tails, damaged middles, full disks, readers beside the writer."""

import os
import resource
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from matching.journal import (
    JournalDamaged,
    JournalReader,
    JournalUnwritable,
    JournalWriter,
    OtherInstance,
)
from matching.journal.format import (
    BATCH_HEADER_BYTES,
    SEGMENT_BYTES_MIN,
    SEGMENT_HEADER_BYTES,
    pack_batch,
    segments,
)
from matching.protocol.commands import CancelOrder, Credit, Sequenced

INSTANCE = str(uuid.UUID(int=1))
OTHER = str(uuid.UUID(int=2))
SMALL = SEGMENT_BYTES_MIN


def _batch(first: int, count: int, reference: str = "r") -> list[Sequenced]:
    return [
        Sequenced(sequence, sequence * 10, Credit(1, 2, 3, reference))
        for sequence in range(first, first + count)
    ]


@contextmanager
def _writer(directory: Path, instance: str = INSTANCE) -> Iterator[JournalWriter]:
    end = JournalReader(directory, instance=instance, thorough=True)
    while end.next_batch() is not None:
        pass
    writer = JournalWriter(directory, instance, end=end, segment_bytes=SMALL)
    end.close()
    yield writer
    writer.close()


def _read(directory: Path, after_sequence: int = 0, instance: str = "") -> list[Sequenced]:
    reader = JournalReader(
        directory, after_sequence=after_sequence, instance=instance, thorough=True
    )
    try:
        found: list[Sequenced] = []
        while (batch := reader.next_batch()) is not None:
            found += batch
        return found
    finally:
        reader.close()


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A journal of three batches: sequences 1-3, 4-6 and 7-9."""
    with _writer(tmp_path) as writer:
        for first in (1, 4, 7):
            writer.append(_batch(first, 3))
    return tmp_path


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A journal of several segments, sequences 1-6000."""
    with _writer(tmp_path) as writer:
        for first in range(1, 6_000, 50):
            writer.append(_batch(first, 50, "x" * 90))
    assert len(segments(tmp_path)) >= 3
    return tmp_path


def _place(batch: int) -> int:
    """Offset of a batch of `three` in its segment."""
    return SEGMENT_HEADER_BYTES + sum(len(pack_batch(_batch(1 + 3 * n, 3))) for n in range(batch))


def test_journal_is_read_as_written_over_segments(long: Path) -> None:
    expected = [each for first in range(1, 6_000, 50) for each in _batch(first, 50, "x" * 90)]
    assert _read(long) == expected
    assert all(path.stat().st_size == SMALL for _, path in segments(long))
    assert _read(long, after_sequence=4_321) == expected[4_321:]
    assert _read(long, after_sequence=6_000) == []


def test_writer_continues_where_the_last_one_ended(three: Path) -> None:
    for first in (10, 13):
        with _writer(three) as writer:
            writer.append(_batch(first, 3))
    assert [each.sequence for each in _read(three)] == list(range(1, 16))
    assert len(segments(three)) == 1


def test_size_is_that_of_what_was_written(tmp_path: Path) -> None:
    with _writer(tmp_path) as writer:
        assert writer.size_bytes == 0
        for first in range(1, 6_000, 50):
            writer.append(_batch(first, 50, "x" * 90))
        size = writer.size_bytes
    whole = len(segments(tmp_path)) * SMALL
    assert whole - SMALL < size <= whole
    with _writer(tmp_path) as writer:
        assert writer.size_bytes == size
        writer.append(_batch(6_001, 3))
        assert writer.size_bytes == size + len(pack_batch(_batch(6_001, 3)))


def test_tail_torn_at_any_byte_is_cut_at_the_last_whole_batch(three: Path) -> None:
    ((_, segment),) = segments(three)
    whole = segment.read_bytes()
    start, end = _place(2), _place(3)
    padding = -(sum(map(len, (pack_batch(_batch(7, 3)),))) - BATCH_HEADER_BYTES) % 8
    last_byte = max(place for place in range(start, end) if whole[place])
    assert padding < 8 and last_byte < end
    for cut in range(start, last_byte + 1):
        with segment.open("r+b") as file:
            file.seek(cut)
            file.write(bytes(end - cut))
        assert [each.sequence for each in _read(three)] == list(range(1, 7)), cut
        if cut % 16 == 0:
            with _writer(three) as writer:
                assert segment.read_bytes()[start:] == bytes(SMALL - start)
                writer.append(_batch(7, 1))
            assert [each.sequence for each in _read(three)] == list(range(1, 8))
        segment.write_bytes(whole)


def test_tail_of_garbage_is_cut(three: Path) -> None:
    ((_, segment),) = segments(three)
    with segment.open("r+b") as file:
        file.seek(_place(3))
        file.write(os.urandom(3_000))
    with _writer(three) as writer:
        writer.append(_batch(10, 3))
    assert len(_read(three)) == 12


def test_flipped_byte_in_the_middle_is_refused_by_name(three: Path) -> None:
    ((_, segment),) = segments(three)
    whole = segment.read_bytes()
    start = _place(1)
    used = max(place for place in range(start, _place(2)) if whole[place])
    records = set()
    for place in range(start, used + 1):
        flipped = bytearray(whole)
        flipped[place] ^= 0x40
        segment.write_bytes(flipped)
        with pytest.raises(JournalDamaged) as caught:
            _read(three)
        assert (caught.value.segment, caught.value.offset) == (segment, start)
        assert str(segment) in str(caught.value) and f"offset {start}" in str(caught.value)
        records.add(caught.value.record)
    assert records == {4, 5, 6}


def test_damage_names_the_segment_when_a_header_is_wrong(long: Path) -> None:
    (_, second), *_ = segments(long)[1:]
    with second.open("r+b") as file:
        file.write(b"\0")
    with pytest.raises(JournalDamaged, match=f"{second.name}, offset 0") as caught:
        _read(long)
    assert caught.value.record == segments(long)[1][0]


def test_wiped_middle_is_refused(three: Path) -> None:
    ((_, segment),) = segments(three)
    with segment.open("r+b") as file:
        file.seek(_place(1))
        file.write(bytes(_place(2) - _place(1)))
    with pytest.raises(JournalDamaged, match=f"offset {_place(1)}, record of sequence 4"):
        _read(three)


@pytest.mark.parametrize("lost", [0, 1])
def test_missing_segment_is_refused(long: Path, lost: int) -> None:
    found = segments(long)
    found[lost][1].unlink()
    with pytest.raises(JournalDamaged) as caught:
        _read(long)
    assert caught.value.record == found[lost][0]


def test_damage_before_a_following_segment_is_refused(long: Path) -> None:
    (_, first), (begin, _), *_ = segments(long)
    data = bytearray(first.read_bytes())
    last = max(place for place in range(len(data)) if data[place])
    data[last] ^= 1
    first.write_bytes(data)
    with pytest.raises(JournalDamaged, match=first.name) as caught:
        _read(long)
    assert begin - 50 <= caught.value.record < begin


def test_journal_of_another_instance_is_refused_naming_both(three: Path) -> None:
    with pytest.raises(OtherInstance, match=f"{INSTANCE}, expected instance {OTHER}"):
        _read(three, instance=OTHER)
    with pytest.raises(OtherInstance), _writer(three, OTHER):
        pass


def test_reader_beside_the_writer_sees_each_batch_once(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path, instance=INSTANCE)
    assert reader.next_batch() is None
    with _writer(tmp_path) as writer:
        for first in range(1, 6_000, 50):
            writer.append(_batch(first, 50, "x" * 90))
            batch = reader.next_batch()
            assert batch is not None
            assert [each.sequence for each in batch] == list(range(first, first + 50))
            assert reader.next_batch() is None
    reader.close()
    assert len(segments(tmp_path)) >= 3


def test_reader_waits_behind_a_half_written_batch(three: Path) -> None:
    ((_, segment),) = segments(three)
    reader = JournalReader(three, after_sequence=9)
    assert reader.next_batch() is None
    data = pack_batch(_batch(10, 3))
    for size in range(0, len(data), 7):
        with segment.open("r+b") as file:
            file.seek(_place(3))
            file.write(data[:size])
        assert reader.next_batch() is None
    with segment.open("r+b") as file:
        file.seek(_place(3))
        file.write(data)
    batch = reader.next_batch()
    assert batch is not None and [each.sequence for each in batch] == [10, 11, 12]
    reader.close()


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    """Let every write beyond a size fail in this process, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_refuses_the_batch_and_the_next_one_takes_its_place(three: Path) -> None:
    with _writer(three) as writer:
        with _file_size_limit(_place(3) + 40):
            for _ in range(2):
                with pytest.raises(JournalUnwritable, match="File too large"):
                    writer.append(_batch(10, 50))
        assert [each.sequence for each in _read(three)] == list(range(1, 10))
        writer.append(_batch(10, 1, "short"))
    assert [each.sequence for each in _read(three)] == list(range(1, 11))


def test_full_disk_at_a_new_segment_leaves_no_half_of_one(tmp_path: Path) -> None:
    with _writer(tmp_path) as writer, _file_size_limit(SMALL // 2):
        with pytest.raises(JournalUnwritable):
            writer.append(_batch(1, 3))
        assert list(tmp_path.iterdir()) == []
    with _writer(tmp_path) as writer:
        writer.append(_batch(1, 3))
    assert len(_read(tmp_path)) == 3


def test_leftover_of_a_segment_in_preparation_is_cleared(three: Path) -> None:
    spare = three / "spare.tmp"
    shutil.copy(segments(three)[0][1], spare)
    with _writer(three) as writer:
        assert not spare.exists()
        writer.append(_batch(10, 3))
    assert len(_read(three)) == 12


def test_batches_of_one_record_and_of_many_hold_alike(tmp_path: Path) -> None:
    batch = [Sequenced(place, place, CancelOrder(2**63 - 1, place)) for place in range(1, 1_001)]
    with _writer(tmp_path) as writer:
        writer.append(batch[:1])
        writer.append(batch[1:])
    assert _read(tmp_path) == batch


def test_segment_size_is_bounded_from_below(tmp_path: Path) -> None:
    for size in (SMALL - 4_096, SMALL + 1):
        with pytest.raises(ValueError, match="segment size"):
            JournalWriter(tmp_path, INSTANCE, end=JournalReader(tmp_path), segment_bytes=size)

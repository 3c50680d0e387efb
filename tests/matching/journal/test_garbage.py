"""A journal of garbage is read no further, or refused by name, in bounded time and memory."""

import os
import struct
import uuid
from itertools import chain
from pathlib import Path
from random import Random
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.journal import JournalDamaged, JournalReader, JournalWriter, OtherInstance
from matching.journal.format import (
    ALIGNMENT,
    BATCH_MAGIC,
    SEGMENT_BYTES_MIN,
    SEGMENT_HEADER_BYTES,
    SEGMENT_MAGIC,
    pack_batch,
    segment_header,
    segment_path,
    segments,
)
from matching.protocol.codec import encode
from matching.protocol.commands import Credit, Sequenced
from tests.matching.garbage import bent, bounded, garbage

INSTANCE = str(uuid.UUID(int=1))
MEMORY_BYTES = 4 << 20
BATCHES = [
    [Sequenced(sequence, sequence * 10, Credit(1, 2, 3, f"r-{sequence}")) for sequence in part]
    for part in (range(1, 4), range(4, 7), range(7, 30))
]
WRITTEN = b"".join(bytes(pack_batch(batch)) for batch in BATCHES)
# The same numbers with other content: what a copy of another day would splice in.
OTHERS = [Sequenced(number, number * 10, Credit(9, 9, 9, "other")) for number in range(4, 7)]

numbers = st.integers(0, 40) | st.integers(0, 2**32 - 1)
large = numbers | st.integers(2**62, 2**64 - 1)


def _sealed(head: bytes) -> bytes:
    return head + struct.pack(">I", crc32(head))


def _segment(directory: Path, data: bytes, first: int = 1) -> None:
    """Lay out a segment whose header is sound."""
    head = segment_header(INSTANCE, first, SEGMENT_BYTES_MIN)
    segment_path(directory, first).write_bytes((head + data).ljust(SEGMENT_BYTES_MIN, b"\0"))


def _read(directory: Path) -> tuple[list[Sequenced], Exception | None]:
    """Read all there is and what ended it; assert that it stays in bounds and in order."""
    reader = JournalReader(directory, instance=INSTANCE, thorough=True)
    found: list[Sequenced] = []
    end: Exception | None = None
    with bounded(MEMORY_BYTES):
        try:
            while (batch := reader.next_batch()) is not None:
                found += batch
        except (JournalDamaged, OtherInstance) as refusal:
            assert str(directory) in str(refusal)
            end = refusal
        finally:
            reader.close()
    assert [each.sequence for each in found] == list(range(1, len(found) + 1))
    times = [each.time_ns for each in found]
    assert times == sorted(set(times))
    return found, end


@garbage
@given(random=st.randoms(use_true_random=False))
def test_bent_segment_is_read_no_further_than_it_is_sound(tmp_path: Path, random: Random) -> None:
    _segment(tmp_path, bent(random, WRITTEN, bytes(pack_batch(OTHERS))))
    found, _ = _read(tmp_path)
    for each, written in zip(found, chain(*BATCHES), strict=False):
        assert each == written or each in OTHERS


@garbage
@given(random=st.randoms(use_true_random=False))
def test_bent_file_is_refused_or_read(tmp_path: Path, random: Random) -> None:
    whole = segment_header(INSTANCE, 1, SEGMENT_BYTES_MIN) + WRITTEN + bytes(512)
    segment_path(tmp_path, 1).write_bytes(bent(random, whole))
    segment_path(tmp_path, 30).write_bytes(bent(random, whole))
    _read(tmp_path)


@garbage
@given(magic=st.sampled_from([SEGMENT_MAGIC, b"NXJRNL99"]), first=large, size=large)
def test_any_segment_header_with_a_sound_checksum_is_bounded(
    tmp_path: Path, magic: bytes, first: int, size: int
) -> None:
    head = struct.pack(">8s16sQQ", magic, uuid.UUID(INSTANCE).bytes, first, size)
    data = _sealed(head).ljust(SEGMENT_HEADER_BYTES, b"\0") + WRITTEN + b"torn"
    segment_path(tmp_path, 1).write_bytes(data)
    found, end = _read(tmp_path)
    sound = magic == SEGMENT_MAGIC and first == 1
    assert (len(found), isinstance(end, JournalDamaged)) == ((29, False) if sound else (0, True))


@garbage
@given(payload=numbers, first=large, records=numbers, body=st.binary(max_size=40))
def test_any_batch_header_with_a_sound_checksum_is_bounded(
    tmp_path: Path, payload: int, first: int, records: int, body: bytes
) -> None:
    record = struct.pack(">II", len(body), crc32(body)) + body
    head = _sealed(struct.pack(">4sIQI", BATCH_MAGIC, payload, first, records))
    _segment(tmp_path, bytes(pack_batch(BATCHES[0])) + head + record)
    found, end = _read(tmp_path)
    assert found[:3] == BATCHES[0]
    assert end is None or isinstance(end, JournalDamaged)


@garbage
@given(random=st.randoms(use_true_random=False), length=numbers)
def test_any_record_with_a_sound_checksum_is_a_command_or_refused(
    tmp_path: Path, random: Random, length: int
) -> None:
    body = bent(random, encode(BATCHES[1][0])) or b"\0"
    record = struct.pack(">II", random.choice((len(body), length)), crc32(body)) + body
    head = _sealed(struct.pack(">4sIQI", BATCH_MAGIC, len(record), 4, 1))
    batch = head + record
    batch += bytes(-len(batch) % ALIGNMENT)
    _segment(tmp_path, bytes(pack_batch(BATCHES[0])) + batch + bytes(pack_batch(BATCHES[1][1:])))
    found, end = _read(tmp_path)
    assert found[:3] == BATCHES[0]
    assert len(found) == 6 or isinstance(end, JournalDamaged)


def test_record_whose_time_does_not_rise_is_refused_by_name(tmp_path: Path) -> None:
    late = [Sequenced(4, 30, Credit(1, 2, 3, "late"))]
    _segment(tmp_path, bytes(pack_batch(BATCHES[0])) + bytes(pack_batch(late)))
    found, end = _read(tmp_path)
    assert found == BATCHES[0]
    assert isinstance(end, JournalDamaged) and end.record == 4
    assert "time 30 ns is not above the last" in str(end)


def test_batch_that_claims_more_than_the_segment_is_a_torn_tail(tmp_path: Path) -> None:
    head = _sealed(struct.pack(">4sIQI", BATCH_MAGIC, 2**32 - 1, 4, 1))
    _segment(tmp_path, bytes(pack_batch(BATCHES[0])) + head)
    assert _read(tmp_path) == (BATCHES[0], None)
    end = JournalReader(tmp_path, thorough=True)
    while end.next_batch() is not None:
        pass
    writer = JournalWriter(tmp_path, INSTANCE, end=end, segment_bytes=SEGMENT_BYTES_MIN)
    end.close()
    writer.append(BATCHES[1])
    writer.close()
    assert _read(tmp_path) == (BATCHES[0] + BATCHES[1], None)


def test_tail_full_of_beginnings_ends_in_time(tmp_path: Path) -> None:
    tail = (BATCH_MAGIC + bytes(4)) * (SEGMENT_BYTES_MIN // 8 - 100)
    _segment(tmp_path, bytes(pack_batch(BATCHES[0])) + tail)
    assert _read(tmp_path) == (BATCHES[0], None)


@pytest.mark.parametrize("name", ["1.journal", "00000000000000000001 (copy).journal"])
def test_file_of_another_name_is_no_segment(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(os.urandom(100))
    assert segments(tmp_path) == []

"""The journal byte by byte: segment header, batch header, records. All integers are big-endian.

A segment is a file `<first sequence, 20 digits>.journal` of one fixed size, zeros beyond its last
batch. A batch begins at a multiple of 8 and is whole or does not count: its header and each of its
records carry a CRC-32.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID
from zlib import crc32

import msgspec

from matching.protocol.codec import encode
from matching.protocol.commands import Sequenced

SEGMENT_MAGIC = b"NXJRNL01"
SEGMENT_BYTES = 64 << 20
# What one client may bring into a batch must fit into the smallest segment.
SEGMENT_BYTES_MIN = 256 << 10
SEGMENT_HEADER_BYTES = 64
# 0xC1 occurs neither in msgpack as a type nor in UTF-8.
BATCH_MAGIC = b"\xc1NXB"
ALIGNMENT = 8
_NUMBER = "[0-9]" * 20

_SEGMENT_HEADER = struct.Struct(">8s16sQQ")
_BATCH_HEADER = struct.Struct(">4sIQI")
_CRC = struct.Struct(">I")
_RECORD_HEADER = struct.Struct(">II")
BATCH_HEADER_BYTES = _BATCH_HEADER.size + _CRC.size

_decode = msgspec.msgpack.Decoder(Sequenced).decode


class OtherInstance(Exception):
    """A file or stream belongs to another instance of the exchange than the one that reads it."""

    def __init__(self, where: str, found: str, expected: str) -> None:
        super().__init__(f"{where} belongs to instance {found}, expected instance {expected}")


class JournalDamaged(Exception):
    """The journal lacks or garbles something that later records prove to have been there."""

    def __init__(self, segment: Path, offset: int, record: int, what: str) -> None:
        super().__init__(
            f"journal segment {segment}, offset {offset}, record of sequence {record}: {what}; "
            f"restore the segment from a copy"
        )
        self.segment = segment
        self.offset = offset
        self.record = record


class BatchHeader(msgspec.Struct, frozen=True, gc=False):
    """`batch_bytes` is the whole batch, its header and padding included."""

    first_sequence: int
    records: int
    payload_bytes: int

    @property
    def last_sequence(self) -> int:
        return self.first_sequence + self.records - 1

    @property
    def batch_bytes(self) -> int:
        return _aligned(BATCH_HEADER_BYTES + self.payload_bytes)


def leading(journal_dir: Path) -> Path:
    """Return the leader's journal: a link in `journal_dir` names it, else it is the folder itself.

    Each takeover points the link elsewhere; whatever the old journal holds, the new one holds too.
    """
    link = journal_dir / "leader"
    return link if link.is_symlink() else journal_dir


def segment_path(directory: Path, first_sequence: int) -> Path:
    """Return the path of the segment that begins with this sequence number."""
    return directory / f"{first_sequence:020d}.journal"


def segments(directory: Path) -> list[tuple[int, Path]]:
    """Return (first sequence, path) of all segments, in order."""
    return sorted((int(path.stem), path) for path in directory.glob(f"{_NUMBER}.journal"))


def segment_header(instance: str, first_sequence: int, segment_bytes: int) -> bytes:
    """Return the header of a segment, padded to its full size."""
    head = _SEGMENT_HEADER.pack(SEGMENT_MAGIC, UUID(instance).bytes, first_sequence, segment_bytes)
    return (head + _CRC.pack(crc32(head))).ljust(SEGMENT_HEADER_BYTES, b"\0")


def read_segment_header(path: Path, data: bytes) -> tuple[str, int, int]:
    """Return instance, first sequence and segment size. Raises `JournalDamaged`."""
    head = data[: _SEGMENT_HEADER.size]
    tail = data[_SEGMENT_HEADER.size : _SEGMENT_HEADER.size + _CRC.size]
    first = int(path.stem)
    if len(tail) < _CRC.size or _CRC.unpack(tail)[0] != crc32(head):
        raise JournalDamaged(path, 0, first, "segment header has a wrong checksum")
    magic, instance, first_sequence, segment_bytes = _SEGMENT_HEADER.unpack(head)
    if magic != SEGMENT_MAGIC or first_sequence != first:
        raise JournalDamaged(path, 0, first, f"header names {magic!r} and {first_sequence}")
    return str(UUID(bytes=instance)), first_sequence, segment_bytes


def pack_batch(batch: Sequence[Sequenced]) -> bytearray:
    """Return the bytes of a batch of contiguous commands."""
    data = bytearray(BATCH_HEADER_BYTES)
    for sequenced in batch:
        body = encode(sequenced)
        data += _RECORD_HEADER.pack(len(body), crc32(body))
        data += body
    payload_bytes = len(data) - BATCH_HEADER_BYTES
    head = _BATCH_HEADER.pack(BATCH_MAGIC, payload_bytes, batch[0].sequence, len(batch))
    data[:BATCH_HEADER_BYTES] = head + _CRC.pack(crc32(head))
    data += bytes(_aligned(len(data)) - len(data))
    return data


def read_batch_header(data: bytes | memoryview) -> BatchHeader | None:
    """Return the batch header at the beginning of `data`, or None when there is no sound one."""
    if len(data) < BATCH_HEADER_BYTES:
        return None
    head = data[: _BATCH_HEADER.size]
    if _CRC.unpack(data[_BATCH_HEADER.size : BATCH_HEADER_BYTES])[0] != crc32(head):
        return None
    magic, payload_bytes, first_sequence, records = _BATCH_HEADER.unpack(head)
    if magic != BATCH_MAGIC or not records:
        return None
    return BatchHeader(first_sequence, records, payload_bytes)


def sound_records(header: BatchHeader, data: bytes | memoryview) -> list[bytes | memoryview]:
    """Return the bodies of the records up to the first that is not sound; all when whole."""
    bodies: list[bytes | memoryview] = []
    offset = BATCH_HEADER_BYTES
    end = offset + header.payload_bytes
    if len(data) < end:
        return bodies
    for _ in range(header.records):
        body_offset = offset + _RECORD_HEADER.size
        if body_offset > end:
            return bodies
        length, crc = _RECORD_HEADER.unpack_from(data, offset)
        offset = body_offset + length
        body = data[body_offset:offset]
        # An empty body has the checksum 0, as zeros from a torn write would have it.
        if not length or offset > end or crc32(body) != crc:
            return bodies
        bodies.append(body)
    return bodies


def read_record(body: bytes | memoryview) -> Sequenced:
    """Return the command of a sound record. Raises one of `Undecodable`."""
    return _decode(body)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT

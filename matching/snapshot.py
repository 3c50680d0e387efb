"""Snapshots: the engine's image at one sequence number, so that a start need not replay everything.

What lives here is the file and its trustworthiness. A snapshot is never the truth: one that is
damaged is passed over for the next older one, and without any the journal is replayed from 1.
"""

import os
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import sleep
from uuid import UUID
from zlib import crc32

import msgspec

from matching.engine import Engine, Image
from matching.journal import OtherInstance
from matching.protocol.codec import Undecodable, encode

MAGIC = b"NXSNAP01"
KEPT = 4
# Sent to the disk piece by piece, with pauses: the journal on the same disk finds it free.
CHUNK_BYTES = 1 << 18
PAUSE_S = 0.01
_HEADER = struct.Struct(">8s16sQQQ32s")
_CRC = struct.Struct(">I")
_decode = msgspec.msgpack.Decoder(Image).decode


class SnapshotDamaged(Exception):
    """A snapshot whose checksum, length or content is wrong."""


def snapshot_dir(journal_dir: Path) -> Path:
    """Return the folder of the snapshots of a journal."""
    return journal_dir / "snapshots"


def snapshots(journal_dir: Path) -> list[tuple[int, Path]]:
    """Return (sequence, path) of all snapshots, newest first."""
    found = snapshot_dir(journal_dir).glob("[0-9]" * 20 + ".snapshot")
    return sorted(((int(path.stem), path) for path in found), reverse=True)


def write_snapshot(journal_dir: Path, instance: str, engine: Engine) -> Path:
    """Write the engine's image durably under its sequence number; remove all but the newest few."""
    directory = snapshot_dir(journal_dir)
    directory.mkdir(exist_ok=True)
    path = directory / f"{engine.sequence:020d}.snapshot"
    body = encode(engine.image())
    head = _HEADER.pack(
        MAGIC,
        UUID(instance).bytes,
        engine.sequence,
        engine.time_ns,
        len(body),
        sha256(body).digest(),
    )
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(head + _CRC.pack(crc32(head)))
        for place in range(0, len(body), CHUNK_BYTES):
            file.write(memoryview(body)[place : place + CHUNK_BYTES])
            file.flush()
            # On its way to the disk without a flush of it, for which the leader would wait as well.
            os.posix_fadvise(file.fileno(), place, CHUNK_BYTES, os.POSIX_FADV_DONTNEED)
            if place:
                sleep(PAUSE_S)
        os.fsync(file.fileno())
    temporary.rename(path)
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    for _, old in snapshots(journal_dir)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def read_snapshot(path: Path, instance: str = "") -> tuple[Engine, str]:
    """Return the engine of a snapshot and the instance it belongs to.

    Raises `SnapshotDamaged`, and `OtherInstance` when `instance` is given and another's.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SnapshotDamaged(f"snapshot {path}: {error}") from error
    head, rest = data[: _HEADER.size], data[_HEADER.size :]
    if len(rest) < _CRC.size or _CRC.unpack(rest[: _CRC.size])[0] != crc32(head):
        raise SnapshotDamaged(f"snapshot {path}: header has a wrong checksum")
    magic, owner, sequence, time_ns, size, digest = _HEADER.unpack(head)
    body = memoryview(rest)[_CRC.size :]
    if magic != MAGIC or len(body) != size or sha256(body).digest() != digest:
        raise SnapshotDamaged(f"snapshot {path}: body has a wrong checksum")
    if sequence != int(path.stem):
        raise SnapshotDamaged(f"snapshot {path}: its header names sequence {sequence}")
    found = str(UUID(bytes=owner))
    if instance and found != instance:
        raise OtherInstance(f"snapshot {path}", found, instance)
    try:
        return Engine.restore(_decode(body), sequence, time_ns), found
    # Whole, but not of this version's form: the parts of such an image do not fit each other.
    except (*Undecodable, LookupError, AssertionError) as error:
        raise SnapshotDamaged(f"snapshot {path}: {error!r}") from error


def newest_engine(
    journal_dir: Path,
    instance: str = "",
    *,
    at_most: int | None = None,
    passed_over: Callable[[SnapshotDamaged], None] = lambda damaged: None,
) -> Engine:
    """Return the engine of the newest sound snapshot at or below a sequence, or a new engine."""
    for sequence, path in snapshots(journal_dir):
        if at_most is not None and sequence > at_most:
            continue
        try:
            return read_snapshot(path, instance)[0]
        except SnapshotDamaged as damaged:
            passed_over(damaged)
    return Engine()

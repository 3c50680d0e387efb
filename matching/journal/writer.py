"""Writing the journal: one batch, one sync, in place in preallocated segments."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from matching.journal.format import (
    SEGMENT_BYTES,
    SEGMENT_BYTES_MIN,
    SEGMENT_HEADER_BYTES,
    pack_batch,
    segment_header,
    segment_path,
    segments,
)
from matching.journal.reader import JournalReader
from matching.protocol.commands import Sequenced
from matching.protocol.faults import armed, crash_point

_ZEROS = bytes(1 << 20)
_SPARE = "spare.tmp"


class JournalUnwritable(Exception):
    """The batch is not in the journal (disk full, say); the next one may be, nothing is lost."""


class JournalWriter:
    """The single writer of a journal, beginning where a reader found its end.

    A failed write leaves the position where it was, and the next batch overwrites what is there. A
    failed sync is not survived: what the disk holds is unknown then, and `OSError` ends the engine.
    """

    def __init__(
        self,
        directory: Path,
        instance: str,
        *,
        end: JournalReader,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        if segment_bytes < SEGMENT_BYTES_MIN or segment_bytes % 4096:
            raise ValueError(
                f"segment size must be a multiple of 4096 from {SEGMENT_BYTES_MIN} on, "
                f"found {segment_bytes}"
            )
        self._directory = directory
        self._instance = instance
        self._segment_bytes = segment_bytes
        self._fd = -1
        self._offset = self._end = self._earlier_bytes = 0
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="journal-spare")
        self._spare: Future[None] | None = None
        (directory / _SPARE).unlink(missing_ok=True)
        if end.segment is not None:
            self._resume(end.segment, end.offset)

    @property
    def size_bytes(self) -> int:
        """Bytes in use: earlier segments as a whole, the last one up to its end."""
        return self._earlier_bytes + self._offset

    @property
    def batch_bytes_max(self) -> int:
        """The largest batch that an empty segment can take."""
        return self._segment_bytes - SEGMENT_HEADER_BYTES

    def append(self, batch: Sequence[Sequenced]) -> None:
        """Write the batch and sync it. Raises `JournalUnwritable` when it did not get there."""
        self.append_packed(batch[0].sequence, pack_batch(batch))

    def append_packed(self, first_sequence: int, data: bytes | bytearray) -> None:
        """Write and sync a batch that `pack_batch` packed. Raises as `append`."""
        assert len(data) <= self.batch_bytes_max, "the caller bounds its batches"
        try:
            if self._offset + len(data) > self._end:
                self._next_segment(first_sequence)
            if armed("engine.journal_half_written"):
                self._write(data[: len(data) // 2], self._offset)
                crash_point("engine.journal_half_written")
            self._write(data, self._offset)
        except OSError as error:
            raise JournalUnwritable(f"journal in {self._directory}: {error}") from error
        os.fdatasync(self._fd)
        self._offset += len(data)
        if self._spare is None and self._offset > self._end // 2:
            self._spare = self._worker.submit(self._prepare)

    def close(self) -> None:
        """Wait for a segment in preparation and close the files."""
        self._worker.shutdown()
        (self._directory / _SPARE).unlink(missing_ok=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _resume(self, segment: Path, offset: int) -> None:
        """Continue in the last segment; cut a torn tail by overwriting it with zeros."""
        self._fd = os.open(segment, os.O_RDWR)
        self._end = os.fstat(self._fd).st_size
        self._offset = offset
        self._earlier_bytes = sum(
            path.stat().st_size for _, path in segments(self._directory) if path != segment
        )
        if os.pread(self._fd, self._end - offset, offset).strip(b"\0"):
            for place in range(offset, self._end, len(_ZEROS)):
                self._write(_ZEROS[: self._end - place], place)
            os.fdatasync(self._fd)

    def _next_segment(self, first_sequence: int) -> None:
        spare, self._spare = self._spare, None
        if spare is None or spare.exception() is not None:
            self._prepare()
        path = self._directory / _SPARE
        fd = os.open(path, os.O_RDWR)
        try:
            os.pwrite(fd, segment_header(self._instance, first_sequence, self._segment_bytes), 0)
            os.fsync(fd)
            path.rename(segment_path(self._directory, first_sequence))
            self._sync_directory()
        except BaseException:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._earlier_bytes += self._end
        self._offset = SEGMENT_HEADER_BYTES
        self._end = self._segment_bytes

    def _prepare(self) -> None:
        """Lay out a segment of written zeros: to overwrite them costs half of appending."""
        path = self._directory / _SPARE
        try:
            with path.open("wb", buffering=0) as file:
                os.posix_fallocate(file.fileno(), 0, self._segment_bytes)
                for place in range(0, self._segment_bytes, len(_ZEROS)):
                    zeros = _ZEROS[: self._segment_bytes - place]
                    if file.write(zeros) != len(zeros):
                        raise OSError(f"{path}: short write")
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise

    def _write(self, data: bytes | bytearray, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view = view[written:]
            offset += written

    def _sync_directory(self) -> None:
        fd = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def cut_behind(directory: Path, sequence: int) -> None:
    """Remove every batch above a sequence, which must end one, from a journal nobody writes."""
    reader = JournalReader(directory, after_sequence=sequence)
    assert reader.begin(), f"{directory} holds no journal"
    while reader.seen_sequence < sequence:
        assert reader.next_packed() is not None, f"{directory} ends before {sequence}"
    for first, path in reversed(segments(directory)):
        if first > sequence and path != reader.segment:
            path.unlink()
    # Opening the writer there overwrites the rest with zeros, as it does with a torn tail.
    JournalWriter(directory, reader.instance, end=reader).close()
    reader.close()

"""Reading a journal: at start, and beside the running writer from any other process."""

import os
from pathlib import Path

from matching.journal.format import (
    ALIGNMENT,
    BATCH_HEADER_BYTES,
    BATCH_MAGIC,
    SEGMENT_HEADER_BYTES,
    BatchHeader,
    JournalDamaged,
    OtherInstance,
    read_batch_header,
    read_record,
    read_segment_header,
    segment_path,
    segments,
    sound_records,
)
from matching.protocol.codec import Undecodable
from matching.protocol.commands import Sequenced

WINDOW_BYTES = 256 << 10


class _LeaderChanged(Exception):
    """The link by which the leader's journal is found points elsewhere by now."""


class JournalReader:
    """Yields whole batches in order, from the one that holds `after_sequence` + 1.

    What it yields is durable: it syncs what it read, so that no follower knows of a command that a
    power cut could still take back. `sequence` is the position, `seen_sequence` the last one found
    on disk. `thorough` looks behind zeros too, for what they may have wiped out: right for a start,
    dear for one who waits at the end of a growing journal. Where the directory is a link
    (`leading`) that comes to point elsewhere, it goes on there. Raises `JournalDamaged`, and
    `OtherInstance` when `instance` is given and the journal's is another.
    """

    def __init__(
        self,
        directory: Path,
        *,
        after_sequence: int = 0,
        instance: str = "",
        thorough: bool = False,
    ) -> None:
        self._directory = directory
        self._thorough = thorough
        self.instance = instance
        self.sequence = after_sequence
        self.seen_sequence = 0
        self.segment: Path | None = None
        self.offset = 0
        self._home = directory
        self._target = ""
        self._time_ns = 0
        self._fd = -1
        self._file_bytes = 0
        self._window = b""
        self._window_offset = 0

    def next_batch(self) -> list[Sequenced] | None:
        """Return the next batch (without what lies at or below the position); None at the end.

        The end is where nothing whole follows; asked again later, it may have moved.
        """
        while True:
            try:
                return self._next_batch()
            except _LeaderChanged:
                if not self.begin():
                    return None

    def _next_batch(self) -> list[Sequenced] | None:
        if self.segment is None and not self.begin():
            return None
        fresh = False
        while True:
            header = self._header()
            if header is not None:
                self._require_next(header)
                bodies = sound_records(header, self._bytes(header.batch_bytes))
                if len(bodies) == header.records:
                    batch = self._batch(header, bodies)
                    if batch:
                        return batch
                    fresh = False
                    continue
            if not fresh:
                # The window may be older than what the writer has done since.
                self._window = b""
                fresh = True
            elif (following := self._following()) is not None:
                self._open(following)
                fresh = False
            elif self._is_end():
                return None

    def next_packed(self) -> tuple[BatchHeader, bytes] | None:
        """Return the next batch as it stands on disk, None at the end; for the writer's own thread.

        It begins with the first batch of the segment that holds the position, and leaves records
        unread: whoever gets them checks them.
        """
        if self.segment is None and not self.begin():
            return None
        header = self._header()
        if header is None:
            self._window = b""
            header = self._header()
        if header is None:
            following = self._following()
            if following is None:
                return None
            self._open(following)
            return self.next_packed()
        self._require_next(header)
        data = bytes(self._bytes(header.batch_bytes))
        self.seen_sequence = header.last_sequence
        self.offset += header.batch_bytes
        return header, data

    def close(self) -> None:
        """Close the open segment."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def begin(self) -> bool:
        """Open the segment that holds the position; false when there is no journal yet."""
        self._target = _target(self._directory)
        self._home = self._directory.parent / self._target if self._target else self._directory
        found = segments(self._home)
        if not found:
            return False
        fitting = [path for first, path in found if first <= self.sequence + 1]
        if not fitting:
            first, path = found[0]
            raise JournalDamaged(path, 0, self.sequence + 1, f"the journal begins at {first}")
        self._open(fitting[-1])
        return True

    def _open(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY)
        try:
            data = os.pread(fd, SEGMENT_HEADER_BYTES, 0)
            instance, first_sequence, _ = read_segment_header(path, data)
            if self.instance and instance != self.instance:
                raise OtherInstance(f"journal segment {path}", instance, self.instance)
        except BaseException:
            os.close(fd)
            raise
        self.close()
        self.instance = instance
        self.seen_sequence = first_sequence - 1
        self.segment = path
        self._fd = fd
        self._file_bytes = os.fstat(fd).st_size
        self.offset = SEGMENT_HEADER_BYTES
        self._window = b""

    def _header(self) -> BatchHeader | None:
        """Return the header at the position, None unless it is sound and its batch has room."""
        header = read_batch_header(self._bytes(BATCH_HEADER_BYTES))
        if header is None or self.offset + header.batch_bytes > self._file_bytes:
            return None
        return header

    def _bytes(self, size: int) -> memoryview:
        """Return up to `size` durable bytes at the position."""
        start = self.offset - self._window_offset
        if not 0 <= start <= len(self._window) - size:
            self._window_offset = self.offset
            self._window = os.pread(self._fd, max(size, WINDOW_BYTES), self.offset)
            os.fdatasync(self._fd)
            # An old leader stands by, and may hold what nobody was told of: only as long as the
            # link points there was what was read there the leader's.
            if self._target and _target(self._directory) != self._target:
                self._window = b""
                raise _LeaderChanged
            start = 0
        return memoryview(self._window)[start : start + size]

    def _batch(self, header: BatchHeader, bodies: list[bytes | memoryview]) -> list[Sequenced]:
        """Step over a whole batch; return what of it lies above the position."""
        batch: list[Sequenced] = []
        for sequence, body in enumerate(bodies, header.first_sequence):
            if sequence <= self.sequence:
                continue
            try:
                record = read_record(body)
            except Undecodable as error:
                raise self._damage(sequence, f"a sound record is no command: {error}") from error
            if record.sequence != sequence:
                raise self._damage(sequence, f"the record says sequence {record.sequence}")
            if record.time_ns <= self._time_ns:
                raise self._damage(sequence, f"its time {record.time_ns} ns is not above the last")
            self._time_ns = record.time_ns
            batch.append(record)
        self.seen_sequence = header.last_sequence
        self.sequence = max(self.sequence, header.last_sequence)
        self.offset += header.batch_bytes
        return batch

    def _require_next(self, header: BatchHeader) -> None:
        if header.first_sequence != self.seen_sequence + 1:
            what = f"the batch begins at sequence {header.first_sequence}"
            raise self._damage(self.seen_sequence + 1, what)

    def _following(self) -> Path | None:
        """Return the segment that continues exactly here: whatever precedes it is no loss."""
        path = segment_path(self._home, self.seen_sequence + 1)
        return path if path != self.segment and path.exists() else None

    def _is_end(self) -> bool:
        """Tell whether nothing whole follows; false when it became whole while we looked.

        Raises `JournalDamaged` when later records show that something was here.
        """
        expected = self.seen_sequence + 1
        self._window = b""
        # Under load the writer is here by now, and what follows it need not be searched for.
        header = self._header()
        if header is not None and header.records == len(
            sound_records(header, self._bytes(header.batch_bytes))
        ):
            return False
        if self._later_batch():
            self._window = b""
            header = self._header()
            if header is None:
                raise self._damage(expected, "batch header has a wrong checksum or length")
            bad = header.first_sequence + len(
                sound_records(header, self._bytes(header.batch_bytes))
            )
            if bad <= header.last_sequence:
                raise self._damage(bad, "record has a wrong checksum")
            return False
        later = [path for first, path in segments(self._home) if first > expected]
        if later and self._following() is None:
            raise self._damage(expected, f"no whole batch, yet {later[0].name} follows")
        return not later

    def _later_batch(self) -> bool:
        """Tell whether a batch with a later sequence number begins in the rest of the segment."""
        if not self._thorough and not any(self._bytes(BATCH_HEADER_BYTES)):
            return False
        # Windows begin at a multiple of 8, so that none parts a batch's magic.
        for start in range(self.offset + ALIGNMENT, self._file_bytes, WINDOW_BYTES):
            window = os.pread(self._fd, WINDOW_BYTES + BATCH_HEADER_BYTES, start)
            place = window.find(BATCH_MAGIC)
            while 0 <= place < WINDOW_BYTES:
                if place % ALIGNMENT == 0:
                    header = read_batch_header(memoryview(window)[place:])
                    if header is not None and header.first_sequence > self.seen_sequence:
                        return True
                place = window.find(BATCH_MAGIC, place + 1)
        return False

    def _damage(self, record: int, what: str) -> JournalDamaged:
        assert self.segment is not None
        return JournalDamaged(self.segment, self.offset, record, what)


def _target(directory: Path) -> str:
    """Return where a link points at present, nothing for a folder."""
    try:
        return os.readlink(directory)
    except OSError:
        return ""


def last_batch(directory: Path) -> tuple[BatchHeader, bytes] | None:
    """Return the last batch of a journal that nobody writes, None when there is none."""
    for first, _ in reversed(segments(directory)):
        reader = JournalReader(directory, after_sequence=first - 1)
        last = None
        while (found := reader.next_packed()) is not None:
            last = found
        reader.close()
        if last is not None:
            return last
    return None

"""Publication of batches, from a thread that can never stop or slow the engine."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic

from matching.protocol.codec import StreamEntry, joined
from matching.protocol.faults import crash_point
from matching.runtime.log import log
from matching.stream import AlreadyBehind, Place, Stream, StreamError

QUEUED_COMMANDS_MAX = 100_000
# What a follower that never comes back may hold in Redis.
STREAM_COMMANDS_MAX = 500_000
# A follower takes any entry whole, a batch of the most commands too.
ENTRY_COMMANDS_MAX = 1_000
ENTRIES_PER_CALL = 64
# A call costs as much as a small batch, and those come by the hundred a second: some share a call.
GATHER_S = 0.01
RETRY_S = 0.5
TRIM_S = 2.0


class Fenced(Exception):
    """A newer epoch has written to the stream: another engine leads."""


def published_sequence(stream: Stream) -> int | None:
    """Return the last sequence the stream knows of, 0 when it is empty, None without Redis."""
    try:
        last = stream.last()
    except StreamError as error:
        log("publication_unreachable", what=str(error))
        return None
    return last.published_sequence if last else 0


class Publisher:
    """Publishes in order in its own thread, several batches as one entry; `submit` never waits.

    When a newer engine leads, `fenced` says so, publication ends, and `on_fenced` is called once
    from the thread.
    """

    def __init__(
        self, stream: Stream, epoch: int, sequence: int, on_fenced: Callable[[], None]
    ) -> None:
        self.published_sequence = sequence
        self.fenced: Fenced | None = None
        self._stream = stream
        self._epoch = epoch
        self._first_sequence = sequence
        self._on_fenced = on_fenced
        self._queue: deque[StreamEntry] = deque()
        self._queued_commands = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._connected = False
        self._published_at = self._trimmed_at = 0.0
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self, unpublished: Iterable[StreamEntry]) -> None:
        """Begin with what Redis lacks from before."""
        for entry in unpublished:
            self.submit(entry)
        self._thread.start()

    def submit(self, entry: StreamEntry) -> None:
        """Queue a batch; beyond the bound the oldest are dropped and become a gap."""
        with self._changed:
            self._queue.append(entry)
            self._queued_commands += len(entry.applied)
            while self._queued_commands > QUEUED_COMMANDS_MAX and len(self._queue) > 1:
                self._queued_commands -= len(self._queue.popleft().applied)
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Publish what is queued, for at most so long, and stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._connected:
                    self._changed.wait_for(lambda: self._queue or self._stopping, TRIM_S)
            if (pause_s := self._published_at + GATHER_S - monotonic()) > 0:
                time.sleep(pause_s)
            with self._changed:
                entries = _gathered(self._queue)
                if self._stopping and not (entries and self._connected):
                    return
            try:
                self._round(entries)
            except Fenced as fenced:
                log("fenced", what=str(fenced))
                self.fenced = fenced
                self._on_fenced()
                return
            except StreamError as error:
                if self._connected:
                    log("publication_stopped", what=str(error))
                self._connected = False
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, RETRY_S)

    def _round(self, entries: list[StreamEntry]) -> None:
        if not self._connected:
            try:
                self._stream.fence(self._epoch, self.published_sequence)
            except AlreadyBehind as behind:
                self._judge(behind, 0)
            self._connected = True
            log("publication_started", epoch=self._epoch, sequence=self.published_sequence)
        if entries:
            self._publish(entries)
        if monotonic() - self._trimmed_at > TRIM_S:
            self._trimmed_at = monotonic()
            self._trim()

    def _publish(self, entries: list[StreamEntry]) -> None:
        answers = self._stream.publish(self._epoch, entries)
        for entry, error in zip(entries, answers, strict=True):
            if isinstance(error, AlreadyBehind):
                self._judge(error, entry.last_sequence)
            elif error is not None:
                raise error
            self.published_sequence = entry.last_sequence
            with self._changed:
                while self._queue and self._queue[0].last_sequence <= entry.last_sequence:
                    self._queued_commands -= len(self._queue.popleft().applied)
            crash_point("engine.after_publish")
        self._published_at = monotonic()

    def _judge(self, behind: AlreadyBehind, sequence: int) -> None:
        """Return when the entry is there already; raise `Fenced` when a newer epoch is."""
        last = self._stream.last()
        if last is None or last.place < Place(self._epoch, sequence):
            raise OSError(f"stream {self._stream.name} changed meanwhile") from behind
        if last.place.epoch > self._epoch:
            raise Fenced(
                f"stream {self._stream.name} is at epoch {last.place.epoch}, ours is {self._epoch}"
            )

    def _trim(self) -> None:
        """Drop what every follower has passed, and what is beyond the bound, of this epoch.

        Entries of earlier epochs go as soon as the slowest has passed the start of this one.
        """
        bound = self.published_sequence - STREAM_COMMANDS_MAX
        passed = max(min(self._stream.positions(), default=bound), bound)
        if passed >= self._first_sequence:
            self._stream.trim(Place(self._epoch, passed))


def _gathered(queue: Iterable[StreamEntry]) -> list[StreamEntry]:
    """Return the first of the queue as few entries, each at the bound or as large as it was."""
    groups: list[list[StreamEntry]] = []
    room = 0
    for entry in queue:
        room -= len(entry.applied)
        if room < 0:
            if len(groups) == ENTRIES_PER_CALL:
                break
            groups.append([])
            room = ENTRY_COMMANDS_MAX - len(entry.applied)
        groups[-1].append(entry)
    return [joined(group) for group in groups]

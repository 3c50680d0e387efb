"""Follow the engine's events from the Redis Stream, and from the journal where the stream fails."""

import time
from collections.abc import Generator
from time import monotonic

from matching.client.address import EngineAddress
from matching.client.heartbeat import beat
from matching.client.replica import Replica, above
from matching.journal import JournalDamaged, OtherInstance
from matching.protocol.codec import StreamEntry, joined
from matching.stream import Place, Stream, StreamError

ENTRIES_PER_READ = 128
REPORT_S = 1.0
RETRY_S = 1.0
JOURNAL_POLL_S = 0.05


class FollowFailed(Exception):
    """Stream or journal belong to another instance, are damaged, or end before the position."""


def follow(
    address: EngineAddress,
    *,
    follower: str,
    after_sequence: int,
    block_ms: int = 1_000,
    gather_ms: int = 0,
    journal_only: bool = False,
) -> Generator[StreamEntry | None, None, None]:
    """Yield the engine's batches after `after_sequence`, in order and without a gap, for ever.

    Each entry's `applied` holds sequences above the position only (at most 1,000 commands). With
    `gather_ms` one entry stands for all that was read at once, and the next read lets so much time
    pass since the last: who writes a transaction an entry then writes few under load, and an entry
    that comes after silence waits for nothing. Yields None when nothing came for about `block_ms`,
    so that the caller can stop. Taking the next item tells that the caller has committed the one
    before: the position of `follower` is then reported, and the publisher trims the stream behind
    the slowest follower.
    Delivery is exactly once for one iterator; after a crash start again at the stored position.
    With `journal_only` the stream is neither read nor told the position: what is yielded is what
    a replay of the journal says, and rests on nothing else.
    Raises `FollowFailed` naming what was found and expected.
    """
    following = _Following(address, follower, after_sequence, block_ms, gather_ms, journal_only)
    try:
        following.check()
        while True:
            entries = following.next_entries()
            for entry in [joined(entries)] if gather_ms and entries else entries:
                yield entry
                following.sequence = entry.last_sequence
            if not entries:
                yield None
    except (OtherInstance, JournalDamaged) as error:
        raise FollowFailed(f"follower {follower} at {following.sequence}: {error}") from error
    finally:
        following.close()


class _Following:
    """The position of one follower, which its caller moves, and its two sources.

    The stream is read as long as its entries join the position. A gap, a Redis that does not
    answer, or a journal that was ahead of a stream that stayed silent for a whole wait make it read
    the journal up to where the stream joins again.
    """

    def __init__(
        self,
        address: EngineAddress,
        follower: str,
        after_sequence: int,
        block_ms: int,
        gather_ms: int,
        journal_only: bool,
    ) -> None:
        self.sequence = after_sequence
        self._follower = follower
        self._block_ms = block_ms
        self._gather_ms = gather_ms
        self._journal_only = journal_only
        self._stream = Stream(address.redis_url, address.instance, block_ms=block_ms)
        self._replica = Replica(address.journal_dir, address.instance)
        self._place: Place | None = None
        self._journal_until = 0
        self._journal_ahead = False
        self._reported_at = self._retry_at = self._read_at = 0.0

    def check(self) -> None:
        """Refuse a journal that is another's, or that ends before the position."""
        tail = self._replica.tail_sequence()
        if 0 < tail < self.sequence:
            raise FollowFailed(
                f"follower {self._follower} is at {self.sequence}, but the journal ends at {tail}: "
                f"one of the two is of another life of this instance"
            )

    def next_entries(self) -> list[StreamEntry]:
        """Return what follows the position, or nothing after a wait in vain."""
        beat()
        if self.sequence < self._journal_until and (entries := self._from_journal()):
            return entries
        if self._journal_only or monotonic() < self._retry_at:
            return self._wait_for_journal()
        try:
            return self._from_stream()
        except StreamError:
            self._place = None
            self._retry_at = monotonic() + RETRY_S
            return self._wait_for_journal()

    def close(self) -> None:
        """Close both sources."""
        self._replica.close()
        self._stream.close()

    def _from_stream(self) -> list[StreamEntry]:
        if monotonic() - self._reported_at > REPORT_S:
            self._stream.report(self._follower, self.sequence)
            self._reported_at = monotonic()
        if self._place is None:
            self._place = self._stream.place_behind(self.sequence)
        if (pause_s := self._read_at + self._gather_ms / 1_000 - monotonic()) > 0:
            time.sleep(pause_s)
        found = self._stream.read(self._place, ENTRIES_PER_READ)
        # More than fits one read is behind: then nothing is gained by waiting.
        self._read_at = 0.0 if len(found) == ENTRIES_PER_READ else monotonic()
        joined: list[StreamEntry] = []
        sequence = self.sequence
        for place, _, entry in found:
            if entry is not None and entry.last_sequence > sequence:
                if entry.after_sequence > sequence:
                    self._journal_until = entry.after_sequence
                    return joined or self._from_journal()
                joined.append(above(entry, sequence))
                sequence = entry.last_sequence
            self._place = place
        if joined:
            self._journal_ahead = False
            self._replica.close()
            return joined
        return [] if found else self._silent()

    def _silent(self) -> list[StreamEntry]:
        """Read the journal when it was ahead of a whole wait: then the stream lost something."""
        tail = self._replica.tail_sequence()
        was_ahead, self._journal_ahead = self._journal_ahead, tail > self.sequence
        if was_ahead and self._journal_ahead:
            self._journal_until = tail
            return self._from_journal()
        return []

    def _from_journal(self) -> list[StreamEntry]:
        entries: list[StreamEntry] = []
        sequence = self.sequence
        while len(entries) < (ENTRIES_PER_READ if self._gather_ms else 1):
            entry = self._replica.next_entry(sequence)
            if entry is None:
                break
            entries.append(entry)
            sequence = entry.last_sequence
        return entries

    def _wait_for_journal(self) -> list[StreamEntry]:
        until = monotonic() + self._block_ms / 1_000
        while not (entries := self._from_journal()) and monotonic() < until:
            time.sleep(min(JOURNAL_POLL_S, self._block_ms / 1_000))
        return entries

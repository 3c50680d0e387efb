"""Replication: what leader and standby tell each other, and what each may conclude from it.

What lives here decides; it owns no socket and no clock, so that a simulator can drive it. The law:
what stands in the leader's journal is held by every engine on record as a holder. A batch is
therefore sent first, written by the leader after the acknowledgement, and where that fails the
record is changed before the batch is written. So nothing that a follower has read and nobody's
answer can be taken back by a takeover, and an old leader's journal is a prefix of the new one's.
"""

from collections import deque
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from matching.engine import Engine
from matching.journal import JournalDamaged, JournalReader, JournalWriter, last_batch
from matching.journal.format import read_batch_header, read_record, sound_records
from matching.protocol.codec import StreamEntry
from matching.protocol.faults import crash_point
from matching.runtime.lease import Lease
from matching.runtime.log import log
from matching.runtime.messages import (
    Alive,
    Batch,
    Cut,
    Denied,
    Fed,
    FromStandby,
    Held,
    Join,
)
from matching.runtime.recovery import REPUBLISHED_MAX

# What a standby that catches up may be sent ahead of its acknowledgements, and in one go.
AHEAD_BYTES_MAX = 4 << 20
TURN_BYTES_MAX = 1 << 20
# What a standby may have before it when the market begins to wait for it.
IN_STEP_BYTES_MAX = 128 << 10


class MustCut(Exception):
    """The standby's last batch never came to be: nobody was told of it, and it must go."""


class FeedRefused(Exception):
    """The leader does not feed this engine, feeds it badly, or is of a lower epoch than another."""


class _Parted(Exception):
    """The standby's last batch is not the leader's."""


class _Link:
    """The standby as the leader knows it; in step once all that is in the journal was sent."""

    def __init__(self, join: Join, send: Callable[[Fed], None]) -> None:
        self.session = join.session
        self.node = join.node
        self.send = send
        self.held = 0
        self.sent = 0
        self.joined_at = join.last_sequence
        self.in_step = False
        self.ahead: deque[tuple[int, int]] = deque()  # (last sequence, bytes) not acknowledged
        self.ahead_bytes = 0
        self.at_end = False
        self.missing: Iterator[tuple[int, bytes] | None] = iter(())


class Replication:
    """The leader's side; `sequence` is the end of its own journal."""

    def __init__(self, journal_dir: Path, instance: str, lease: Lease, sequence: int) -> None:
        self.sequence = sequence
        self.holders: tuple[str, ...] = (lease.node,)
        self._journal_dir = journal_dir
        self._instance = instance
        self._lease = lease
        self._link: _Link | None = None
        self._offered = 0

    @property
    def standby(self) -> str | None:
        """The engine that holds everything besides this one, None when there is none."""
        return self.holders[1] if len(self.holders) > 1 else None

    @property
    def epoch(self) -> int:
        """The epoch that this engine leads under."""
        return self._lease.epoch

    @property
    def session(self) -> int:
        """The standby's number for this attempt of its, 0 without a standby."""
        return self._link.session if self._link is not None else 0

    @property
    def waits(self) -> bool:
        """Tell whether the batch offered last waits for the standby's acknowledgement."""
        link = self._link
        return link is not None and link.in_step and link.held < self._offered

    @property
    def catches_up(self) -> bool:
        """Tell whether a standby could be sent more of the journal at once."""
        link = self._link
        return link is not None and not link.at_end and link.ahead_bytes < AHEAD_BYTES_MAX

    def receive(self, message: FromStandby, send: Callable[[Fed], None]) -> None:
        """Take a standby's message; answers go by `send`, which must not raise."""
        link = self._link
        if isinstance(message, Join):
            self._join(message, send)
        elif isinstance(message, Held) and link is not None and link.session == message.session:
            link.held = max(link.held, message.sequence)
            while link.ahead and link.ahead[0][0] <= link.held:
                link.ahead_bytes -= link.ahead.popleft()[1]
            self._judge(link)

    def turn(self) -> None:
        """Send a standby that catches up a bounded part of what it lacks."""
        link = self._link
        if link is None or link.in_step:
            return
        link.at_end = False
        sent = 0
        while self.catches_up and sent < TURN_BYTES_MAX:
            try:
                found = next(link.missing)
            except (_Parted, JournalDamaged) as refusal:
                epoch = self._lease.epoch
                parted = isinstance(refusal, _Parted)
                no = (
                    Cut(link.session, epoch)
                    if parted
                    else Denied(link.session, epoch, str(refusal))
                )
                link.send(no)
                self.lose(str(refusal))
                return
            if found is None:
                link.at_end = True
                link.held = max(link.held, link.joined_at)
                # What it has not applied yet, the market would wait for.
                link.in_step = link.ahead_bytes < IN_STEP_BYTES_MAX
                self._judge(link)
                return
            sequence, data = found
            sent += max(len(data), 1 << 10)
            if sequence:
                link.ahead.append((sequence, len(data)))
                link.ahead_bytes += len(data)
                link.sent = sequence
                link.send(Batch(link.session, self._lease.epoch, data))

    def live(self, published_sequence: int) -> None:
        """Tell the standby that the leader lives."""
        link = self._link
        if link is not None:
            link.send(Alive(link.session, self._lease.epoch, published_sequence, link.sent))

    def offer(self, last_sequence: int, data: bytes) -> bool:
        """Send a batch that the leader will write; false when no standby is in step."""
        link = self._link
        if link is None or not link.in_step:
            return False
        self._offered = link.sent = last_sequence
        link.send(Batch(link.session, self._lease.epoch, data))
        crash_point("replication.batch_sent")
        return True

    def settle(self, last_sequence: int) -> None:
        """Make the record true of a batch that is about to be written. Raises `LeaseLost`."""
        link = self._link
        if link is not None and link.in_step and link.held >= last_sequence:
            crash_point("replication.batch_held")
            self._record(self._lease.node, link.node)
        else:
            self._record(self._lease.node)

    def wrote(self, last_sequence: int) -> None:
        """Note the end of the leader's own journal."""
        self.sequence = last_sequence

    def feeds(self, send: Callable[[Fed], None]) -> bool:
        """Tell whether the standby is the one that this sends to, and holds everything."""
        link = self._link
        return link is not None and link.send == send and link.node == self.standby

    def linked(self, send: Callable[[Fed], None]) -> bool:
        """Tell whether this sends to the standby, in step or not."""
        return self._link is not None and self._link.send == send

    def closed(self, send: Callable[[Fed], None]) -> None:
        """Give the standby up whose connection ended, if it is this one's."""
        if self.linked(send):
            self.lose("its connection ended")

    def lose(self, why: str) -> None:
        """Give the standby up: until it joins again, this engine goes on alone."""
        if self._link is not None:
            log("standby_lost", standby=self._link.node, why=why, sequence=self.sequence)
        self._link = None

    def _judge(self, link: _Link) -> None:
        """Put on record that the standby holds everything, when it does."""
        if link.in_step and link.held >= self.sequence:
            self._record(self._lease.node, link.node)

    def _record(self, *holders: str) -> None:
        if holders == self.holders:
            return
        crash_point("replication.before_record")
        self._lease.record(holders)
        self.holders = holders
        crash_point("replication.after_record")
        log("holders_recorded", holders=holders, sequence=self.sequence)

    def _join(self, join: Join, send: Callable[[Fed], None]) -> None:
        epoch = self._lease.epoch
        if join.instance != self._instance:
            why = f"instance {join.instance} asks for the journal of {self._instance}"
            send(Denied(join.session, epoch, why))
        elif join.node == self._lease.node:
            send(Denied(join.session, epoch, f"the leader is called {join.node!r} as well"))
        elif self._link is not None and self._link.node != join.node:
            send(Denied(join.session, epoch, f"{self._link.node!r} is the standby"))
        else:
            log("standby_joined", standby=join.node, sequence=join.last_sequence)
            self._link = _Link(join, send)
            self._link.missing = self._missing(join)
            send(Alive(join.session, epoch, 0, 0))

    def _missing(self, join: Join) -> Iterator[tuple[int, bytes] | None]:
        """Yield (last sequence, batch) of what the standby lacks, (0, passed) on the way there.

        At the journal's end it yields None, as often as it is asked. Raises `_Parted`.
        """
        reader = JournalReader(self._journal_dir, after_sequence=max(join.first_sequence - 1, 0))
        parted = join.last_sequence > 0
        try:
            while True:
                found = reader.next_packed()
                if found is None or found[0].first_sequence > join.first_sequence:
                    if parted:
                        raise _Parted("its last batch is not the leader's")
                    yield None if found is None else (found[0].last_sequence, found[1])
                    continue
                header, data = found
                if header.first_sequence == join.first_sequence:
                    parted = sha256(data).digest() != join.digest
                yield 0, data
        finally:
            reader.close()


class Standby:
    """The standby's side: an engine kept at the end of a journal that the leader feeds."""

    def __init__(
        self, journal_dir: Path, instance: str, node: str, engine: Engine, journal: JournalWriter
    ) -> None:
        self.engine = engine
        self.journal = journal
        self.epoch = 0
        self.unpublished: deque[StreamEntry] = deque(maxlen=REPUBLISHED_MAX)
        self._instance = instance
        self._node = node
        self.session = 0
        last = last_batch(journal_dir)
        self._first_sequence = last[0].first_sequence if last else 0
        self._last = last[1] if last else b""

    @property
    def first_sequence(self) -> int:
        """The first sequence of the journal's last batch."""
        return self._first_sequence

    def join(self, session: int, epoch: int) -> Join:
        """Return the message that asks a leader for all that follows.

        `epoch` is the one on record of the lease: a leader of a lower one has only not noticed yet
        that it leads no more, and would have this engine cut what the next one acknowledged.
        """
        self.session = session
        self.epoch = max(self.epoch, epoch)
        first, last = self._first_sequence, self.engine.sequence
        digest = sha256(self._last).digest()
        return Join(session, self._instance, self._node, first, last, digest)

    def receive(self, message: Fed, send: Callable[[FromStandby], None]) -> None:
        """Take the leader's message: write and sync a batch, acknowledge it, apply it.

        Raises `MustCut`, `FeedRefused`, `JournalUnwritable` and `OSError` of its own journal.
        """
        if message.session != self.session:
            return
        if message.epoch < self.epoch:
            raise FeedRefused(f"the leader is of epoch {message.epoch}, not of {self.epoch}")
        self.epoch = message.epoch
        match message:
            case Batch():
                self._take(message.data, send)
            case Alive():
                kept = self.unpublished
                while kept and kept[0].last_sequence <= message.published_sequence:
                    kept.popleft()
                self._require(message.sent_sequence)
                send(Held(self.session, self.engine.sequence))
            case Cut():
                raise MustCut(f"the leader does not have the batch of {self._first_sequence}")
            case Denied():
                raise FeedRefused(message.why)

    def _take(self, data: bytes, send: Callable[[FromStandby], None]) -> None:
        header = read_batch_header(data)
        bodies = sound_records(header, data) if header else []
        if header is None or len(bodies) != header.records:
            raise FeedRefused("the leader sent a batch with a wrong checksum")
        engine = self.engine
        self._require(header.first_sequence - 1)
        if header.first_sequence <= engine.sequence:
            send(Held(self.session, engine.sequence))
            return
        crash_point("standby.before_journal")
        self.journal.append_packed(header.first_sequence, data)
        crash_point("standby.after_journal")
        send(Held(self.session, header.last_sequence))
        crash_point("standby.acknowledged")
        self._first_sequence = header.first_sequence
        self._last = data
        after = engine.sequence
        applied = tuple([engine.apply(read_record(body)) for body in bodies])
        self.unpublished.append(StreamEntry(after, applied))

    def _require(self, sequence: int) -> None:
        """Refuse a feed that lost something on the way."""
        if sequence > self.engine.sequence:
            raise FeedRefused(f"the feed is at {sequence}, this engine at {self.engine.sequence}")

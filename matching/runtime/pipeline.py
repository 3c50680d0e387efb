"""A batch's way: sequence, send to the standby, journal, apply, answer, publish."""

import math
import secrets
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeAlias

from matching.engine import Engine
from matching.journal import JournalUnwritable, JournalWriter
from matching.journal.format import pack_batch
from matching.protocol.codec import Answer, QueryAnswer, Request, StreamEntry
from matching.protocol.commands import Advance, AnyCommand, Sequenced
from matching.protocol.events import Applied, Refused
from matching.protocol.faults import armed, crash_point
from matching.protocol.queries import AnyQuery, AnyReply, GetStatus, Query, Status
from matching.protocol.refusals import Refusal
from matching.runtime.connection import Connection
from matching.runtime.lease import Lease, LeaseLost
from matching.runtime.log import log
from matching.runtime.publisher import Publisher
from matching.runtime.replication import Replication

# Of clients: an `Advance` may come first, and a stream entry holds a thousand.
COMMANDS_MAX = 999
DRAW_BITS = 32

Asked: TypeAlias = tuple[Connection, list[Request]]


class Pipeline:
    """The single writer: no answer leaves before the journal, and the standby, hold the batch."""

    def __init__(
        self,
        engine: Engine,
        journal: JournalWriter,
        publisher: Publisher,
        replication: Replication,
        lease: Lease,
        instance: str,
        now_ns: Callable[[], int] = time.time_ns,
        draw: Callable[[], int] = lambda: secrets.randbits(DRAW_BITS),
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._publisher = publisher
        self._replication = replication
        self._lease = lease
        self._instance = instance
        self._now_ns = now_ns
        self._draw = draw
        self._writable = True

    @property
    def sequence(self) -> int:
        """The last sequence applied."""
        return self._engine.sequence

    @property
    def published_sequence(self) -> int:
        """The last sequence that the stream holds."""
        return self._publisher.published_sequence

    def due_in_s(self) -> float:
        """Return in how many seconds the engine has something to do by itself; 0 when it has now.

        While the journal cannot be written, that waits for a client's next command.
        """
        due_ns = self._engine.due_ns
        return max(0.0, (due_ns - self._now_ns()) / 1e9) if self._writable else math.inf

    def require_lease(self) -> None:
        """Raise `LeaseLost` when another engine may lead by now."""
        if not self._lease.valid():
            raise LeaseLost(f"the lease of epoch {self._lease.epoch} ran out: another may lead")

    def process(self, asked: Sequence[Asked]) -> Iterator[None]:
        """Carry out a batch of requests, in order, and send the answers.

        It yields while the standby has not acknowledged the batch: the caller comes back when it
        has heard from the standby, or has given it up. Raises `LeaseLost` instead of answering when
        another engine may lead, `JournalUnwritable` when a batch that the standby may hold cannot
        be written here: it must not be refused any more.
        """
        batch = self._sequence(asked)
        refusal = (yield from self._write(batch)) if batch else ""
        applied: list[Applied] = []
        after_sequence = self._engine.sequence
        places = iter(batch)
        if batch and isinstance(batch[0].command, Advance) and not refusal:
            applied.append(self._engine.apply(next(places)))
        for connection, requests in asked:
            answers: list[Answer | QueryAnswer] = []
            for request in requests:
                if isinstance(request.body, Query):
                    answers.append(QueryAnswer(request.request_id, self._reply(request.body)))
                elif refusal:
                    refused = (Refused(Refusal.ENGINE_UNAVAILABLE, refusal),)
                    answers.append(Answer(request.request_id, 0, 0, refused))
                else:
                    done = self._engine.apply(next(places))
                    applied.append(done)
                    answers.append(
                        Answer(request.request_id, done.sequence, done.time_ns, done.events)
                    )
            connection.answer(answers)
        crash_point("engine.after_apply")
        self.require_lease()
        self._send([connection for connection, _ in asked])
        crash_point("engine.after_answer")
        if applied:
            self._publisher.submit(StreamEntry(after_sequence, tuple(applied)))

    def _sequence(self, asked: Sequence[Asked]) -> list[Sequenced]:
        """Give each command its number and a time above the last, however the clock moves.

        What the engine has to do by itself by then comes first, as an `Advance`.
        """
        now = max(self._engine.time_ns + 1, self._now_ns())
        first = self._engine.sequence + 1
        commands: list[AnyCommand] = [Advance(self._draw())] if self._engine.due_ns <= now else []
        commands += [
            request.body
            for _, requests in asked
            for request in requests
            if not isinstance(request.body, Query)
        ]
        return [
            Sequenced(first + place, now + place, command) for place, command in enumerate(commands)
        ]

    def _write(self, batch: list[Sequenced]) -> Generator[None, None, str]:
        """Have the standby hold the batch and journal it.

        Return why it could not be, with nothing changed, or nothing.
        """
        data = pack_batch(batch)
        last_sequence = batch[-1].sequence
        crash_point("engine.before_journal")
        sent = self._replication.offer(last_sequence, bytes(data))
        while self._replication.waits:
            yield
        self._replication.settle(last_sequence)
        try:
            self._journal.append_packed(batch[0].sequence, data)
        except JournalUnwritable as error:
            if self._writable:
                log("journal_unwritable", what=str(error))
            if sent:
                raise
            self._writable = False
            return "the journal cannot be written; nothing was done, try again later"
        self._replication.wrote(last_sequence)
        if not self._writable:
            log("journal_writable_again")
        self._writable = True
        crash_point("engine.after_journal")
        return ""

    def _send(self, connections: Sequence[Connection]) -> None:
        for place, connection in enumerate(connections):
            if place == len(connections) // 2 and armed("engine.half_answered"):
                connection.send(limit=connection.unsent // 2)
                crash_point("engine.half_answered")
            connection.send()

    def _reply(self, query: AnyQuery) -> AnyReply:
        engine = self._engine
        if not isinstance(query, GetStatus):
            return engine.answer(query)
        return Status(
            engine.sequence,
            self._lease.epoch,
            self._instance,
            engine.state_hash() if query.with_state_hash else "",
            engine.orders,
            engine.accounts,
            engine.fills,
            self._publisher.published_sequence,
            standby=self._replication.standby is not None,
            journal_bytes=self._journal.size_bytes,
        )

"""Engines, followers and members in virtual time, made of the real parts.

Real are pipeline, replication, standby, journal format, recovery, publisher, stream and follower;
simulated are clock, network, disk, lease and Redis.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from matching.client import EngineAddress, follow
from matching.engine import Engine
from matching.journal import JournalUnwritable, JournalWriter
from matching.protocol.codec import Answer, Request, StreamEntry
from matching.protocol.commands import AnyCommand
from matching.protocol.events import Applied
from matching.runtime.feed import ACKNOWLEDGED_WITHIN_S, ALIVE_EVERY_S
from matching.runtime.lease import LeaseHeld, LeaseLost, LeaseUnreachable, NotInSync
from matching.runtime.messages import Fed, Join, from_leader_decode, from_standby_decode
from matching.runtime.pipeline import DRAW_BITS, Pipeline
from matching.runtime.publisher import Fenced, Publisher, _gathered, published_sequence
from matching.runtime.recovery import recover
from matching.runtime.replication import FeedRefused, MustCut, Replication, Standby
from matching.runtime.run import point_leader
from matching.runtime.standby import SILENCE_S, cut_last
from matching.stream import StreamError
from tests.matching.simulator.disk import Disk, PowerCut
from tests.matching.simulator.redis import SimulatedRedis
from tests.matching.simulator.world import LeaseOffice, Network, SimulatedLease, World

INSTANCE = "00000000-0000-0000-0000-000000000001"
SEGMENT_BYTES = 256 << 10
TURN_S = 0.004
RENEW_S = 0.25
RESTART_S = 0.3
EPOCH_NS = 1_790_000_000 * 10**9


class Killed(BaseException):
    """The process is gone in the middle of what it did."""


class Gone(BaseException):
    """The process ended while it was stopped: what it was about to do never happens."""


class Site:
    """What all nodes share."""

    def __init__(self, world: World, folder: Path, *, lease_expires: bool) -> None:
        self.world = world
        self.folder = folder
        self.network = Network(world)
        self.disk = Disk(world.random, lambda: str(self.acting.folder) if self.acting else "")
        self.redis = SimulatedRedis()
        self.office = LeaseOffice(world, self.network, lease_expires)
        self.address = EngineAddress(folder / "sock", folder, "redis://nowhere", INSTANCE)
        self.nodes: dict[str, Node] = {}
        self.listening: Node | None = None
        """Whoever bound the socket's path last."""
        self.acting: Node | None = None
        """Whose code runs, for the crash points."""
        self.strike_in: dict[str, int] = {}
        """For a node, after how many more crash points something happens to it."""
        self.answered_by: dict[int, set[str]] = {}
        """Which nodes answered under an epoch."""

    def crash_point(self, name: str) -> None:
        """Kill the process whose code runs here, or stop it while the others go on."""
        node, world = self.acting, self.world
        if node is None or node.name not in self.strike_in:
            return
        self.strike_in[node.name] -= 1
        if self.strike_in[node.name] > 0:
            return
        del self.strike_in[node.name]
        if world.random.random() < 0.5:
            raise Killed
        life = node.life
        until = world.now + world.random.uniform(0.05, 4.0)
        node.paused_until = until + TURN_S  # beyond what runs meanwhile
        self.acting = None
        world.run(until)
        self.acting = node
        if node.life != life:
            raise Gone
        node.paused_until = 0.0


class Wire:
    """A member's connection at the leader."""

    def __init__(self, node: "Node", reply: Callable[[list[Answer]], None]) -> None:
        self._node = node
        self._reply = reply
        self._unsent: list[Answer] = []
        self.unsent = 0

    def answer(self, answers: Any) -> None:
        self._unsent += answers

    def send(self, limit: int | None = None) -> None:
        answers, self._unsent = self._unsent, []
        site, node = self._node.site, self._node
        if answers:
            assert node.lease is not None
            site.answered_by.setdefault(node.lease.epoch, set()).add(node.name)
            delay_s = site.world.random.uniform(0.0001, 0.01)
            site.world.after(delay_s, lambda: self._reply(answers))


class Node:
    """One engine's machine and the process on it, which a supervisor starts again."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.folder = (site.folder / name).resolve()
        self.folder.mkdir()
        self.paused_until = 0.0
        self.life = 0
        self.lease: SimulatedLease | None = None
        self.leads: Leading | None = None
        self.stands_by: StandingBy | None = None
        self.ends: list[str] = []
        site.nodes[name] = self

    @property
    def other(self) -> "Node":
        (other,) = (node for node in self.site.nodes.values() if node is not self)
        return other

    def act(self, do: Callable[[], None]) -> None:
        """Let the node's code run, and end its process when that raises."""
        site = self.site
        before, site.acting = site.acting, self
        try:
            do()
        except PowerCut:
            self.end("power cut", power=True)
        except Killed:
            self.end("killed")
        except Gone:
            pass
        except (LeaseLost, Fenced, FeedRefused, JournalUnwritable, OSError) as error:
            self.end(type(error).__name__)
        finally:
            site.acting = before

    def later(self, delay_s: float, do: Callable[[], None]) -> None:
        """Have this life of the process do something later; a stopped process does it then."""
        life, world = self.life, self.site.world

        def happen() -> None:
            if self.life != life:
                return
            if world.now < self.paused_until:
                world.after(self.paused_until - world.now, happen)
            else:
                self.act(do)

        world.after(delay_s, happen)

    def every(self, period_s: float, do: Callable[[], None]) -> None:
        """Have this life of the process do something again and again."""

        life = self.life

        def again() -> None:
            do()
            if self.life == life:
                self.later(period_s, again)

        self.later(0, again)

    def start(self) -> None:
        """Start the process: it leads, or stands by."""
        self.life += 1
        self.act(self._start)

    def _start(self) -> None:
        self.lease = SimulatedLease(self.site.office, self.name)
        if self._may_lead():
            published = published_sequence(self.site.redis.stream(INSTANCE))
            recovered = recover(self.folder, INSTANCE, published)
            journal = self._journal(recovered.end)
            self.lead(recovered.engine, journal, recovered.unpublished, published)
        else:
            self.stands_by = StandingBy(self)

    def _journal(self, end: Any) -> JournalWriter:
        journal = JournalWriter(self.folder, INSTANCE, end=end, segment_bytes=SEGMENT_BYTES)
        end.close()
        return journal

    def _may_lead(self) -> bool:
        assert self.lease is not None
        try:
            self.lease.take()
        except (LeaseHeld, NotInSync):
            return False
        return True

    def lead(
        self,
        engine: Engine,
        journal: JournalWriter,
        unpublished: Any,
        published: int | None,
    ) -> None:
        """Begin to lead; what the standby had begun is over."""
        assert self.lease is not None
        self.life += 1
        self.stands_by = None
        self.every(RENEW_S, self.lease.renew)
        self.leads = Leading(self, engine, journal, unpublished, published)

    def end(self, how: str, *, power: bool = False) -> None:
        """End the process; a machine without power loses what it had not synced."""
        self.ends.append(how)
        self.life += 1
        for role in (self.leads, self.stands_by):
            if role is not None:
                role.journal.close()
        if self.lease is not None and not self.site.office.expires:
            self.lease.release()
        if self.site.listening is self:
            self.site.listening = None
        self.leads = self.stands_by = self.lease = None
        self.paused_until = 0.0
        if power:
            self.site.disk.lose_power(self.folder)
        delay_s = self.site.world.random.uniform(RESTART_S, 4 * RESTART_S)
        self.site.world.after(delay_s, self._restart)

    def _restart(self) -> None:
        if self.leads is None and self.stands_by is None:
            self.start()


class Leading:
    """The leader's loop: `runtime.server` and `runtime.feed` without sockets."""

    def __init__(
        self,
        node: Node,
        engine: Engine,
        journal: JournalWriter,
        unpublished: Any,
        published: int | None,
    ) -> None:
        assert node.lease is not None
        self.node = node
        self.engine = engine
        self.journal = journal
        site = node.site
        self._stream = site.redis.stream(INSTANCE)
        point_leader(site.folder, node.name)
        known = engine.sequence if published is None else published
        self.publisher = Publisher(self._stream, node.lease.epoch, known, lambda: None)
        for entry in unpublished if published is not None else ():
            if entry.last_sequence > known:
                self.publisher.submit(entry)
        self.replication = Replication(node.folder, INSTANCE, node.lease, engine.sequence)
        skew_ns = site.world.random.randint(-(10**9), 10**9)
        self.pipeline = Pipeline(
            engine,
            journal,
            self.publisher,
            self.replication,
            node.lease,
            INSTANCE,
            now_ns=lambda: EPOCH_NS + skew_ns + int(site.world.now * 10**9),
            draw=lambda: site.world.random.getrandbits(DRAW_BITS),
        )
        self._asked: deque[tuple[Wire, list[Request]]] = deque()
        self._batch: Iterator[None] | None = None
        self._batch_until = 0.0
        site.listening = node
        node.every(TURN_S, self._turn)
        node.every(ALIVE_EVERY_S, self._live)
        node.every(site.world.random.uniform(0.01, 0.2), self._publish)

    def ask(self, wire: Wire, request: Request) -> None:
        """Take a member's request."""
        self._asked.append((wire, [request]))

    def receive(self, data: bytes) -> None:
        """Take a message of the standby's."""
        message = from_standby_decode(data)
        assert not isinstance(message, Join) or message.node == self.node.other.name
        self.replication.receive(message, self._send)
        if self._batch is not None:
            self._go_on()

    def _send(self, message: Fed) -> None:
        other = self.node.other
        self.node.site.network.send(
            self.node.name,
            other.name,
            message,
            lambda data: other.later(0, lambda: _hear(other, data)),
        )

    def _turn(self) -> None:
        self.pipeline.require_lease()
        if self._batch is not None:
            if self.node.site.world.now >= self._batch_until:
                self.replication.lose("no acknowledgement in time")
            self._go_on()
        if self._batch is None:
            self.replication.turn()
            if self._asked or self.pipeline.due_in_s() == 0:
                asked = [self._asked.popleft() for _ in range(min(4, len(self._asked)))]
                self._batch = self.pipeline.process(asked)  # type: ignore[arg-type]
                self._batch_until = self.node.site.world.now + ACKNOWLEDGED_WITHIN_S
                self._go_on()

    def _go_on(self) -> None:
        batch = self._batch
        assert batch is not None
        # While it runs (a process may stop in the middle), nothing else of the leader does.
        self._batch = iter(())
        try:
            next(batch)
        except StopIteration:
            self._batch = None
        else:
            self._batch = batch

    def _live(self) -> None:
        self.replication.live(self.publisher.published_sequence)

    def _publish(self) -> None:
        publisher = self.publisher
        try:
            publisher._round(_gathered(publisher._queue))
        except StreamError:
            publisher._connected = False


class StandingBy:
    """The standby's loop: `runtime.standby` without sockets."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._cut: int | None = None
        self._heard_at = 0.0
        self._begin()
        node.every(0.05, self._watch)

    @property
    def journal(self) -> JournalWriter:
        return self.standby.journal

    def _begin(self) -> None:
        node = self.node
        recovered = recover(node.folder, INSTANCE, None)
        journal = node._journal(recovered.end)
        self.standby = Standby(node.folder, INSTANCE, node.name, recovered.engine, journal)
        self._join()

    def _join(self) -> None:
        node = self.node
        assert node.lease is not None
        self._heard_at = node.site.world.now
        with suppress(LeaseUnreachable):
            epoch = node.lease.standing().epoch
            self._send(self.standby.join(node.site.world.random.getrandbits(60), epoch))

    def receive(self, data: bytes) -> None:
        """Take a message of the leader's."""
        message = from_leader_decode(data)
        assert isinstance(message, Fed)
        if message.session == self.standby.session:
            self._heard_at = self.node.site.world.now
        try:
            self.standby.receive(message, self._send)
        except FeedRefused:
            self._join()
        except MustCut:
            self.standby.journal.close()
            self._cut = cut_last(self.node.folder, self.standby, self._cut)
            self._begin()

    def _send(self, message: Any) -> None:
        _tell(self.node, message)

    def _watch(self) -> None:
        node = self.node
        gone = node.other.leads is None and not node.site.network.parted(node.name, node.other.name)
        silent = node.site.world.now - self._heard_at > SILENCE_S
        if not silent and not gone:
            return
        if node._may_lead():
            published = published_sequence(node.site.redis.stream(INSTANCE))
            standby = self.standby
            last = standby.engine.sequence
            assert published is None or published <= last, f"{published} is lost, {last} is here"
            node.lead(standby.engine, standby.journal, standby.unpublished, published)
        elif silent:
            self._join()


def _tell(node: Node, message: Any) -> None:
    other = node.other

    def take(data: bytes) -> None:
        other.later(0, lambda: _hear(other, data))

    node.site.network.send(node.name, other.name, message, take)


def _hear(node: Node, data: bytes) -> None:
    """Take a message, whatever the node is by now; what is meant for another role is lost."""
    if node.leads is not None and _from_standby(data):
        node.leads.receive(data)
    elif node.stands_by is not None and not _from_standby(data):
        node.stands_by.receive(data)


def _from_standby(data: bytes) -> bool:
    """Tell by the tag: a joining or an acknowledgement."""
    return data[1] in (1, 2)


class Member:
    """Sends one command after another, repeats what may be repeated, keeps every answer."""

    def __init__(self, site: Site, name: str, commands: list[tuple[AnyCommand, bool]]) -> None:
        self.site = site
        self.name = name
        self.answers: dict[int, Answer] = {}
        self.sent = 0
        self._commands = commands
        self._attempt = 0

    @property
    def done(self) -> bool:
        return self.sent == len(self._commands)

    def start(self) -> None:
        self._next()

    def _next(self) -> None:
        if not self.done:
            self._attempt += 1
            self._send(self._attempt)

    def _send(self, attempt: int) -> None:
        command, repeatable = self._commands[self.sent]
        world, node = self.site.world, self.site.listening
        request = Request(self.sent, command)
        if node is None or node.leads is None or world.chance(self.site.network.loss / 3):
            if node is None or node.leads is None:
                world.after(0.05, self._again(attempt, True))
                return
        else:
            leading = node.leads
            wire = Wire(node, lambda answers: self._take(attempt, answers))
            delay_s = world.random.uniform(0.0001, 0.01)
            world.after(delay_s, lambda: node.later(0, lambda: leading.ask(wire, request)))
        world.after(1.0, self._again(attempt, repeatable))

    def _again(self, attempt: int, repeatable: bool) -> Callable[[], None]:
        """Return what a timeout does: send again, or leave a command whose fate is unknown."""

        def timed_out() -> None:
            if attempt == self._attempt:
                self.sent += 0 if repeatable else 1
                self._next()

        return timed_out

    def _take(self, attempt: int, answers: list[Answer]) -> None:
        for answer in answers:
            if answer.sequence:
                self.answers[answer.sequence] = answer
            if attempt == self._attempt and answer.request_id == self.sent:
                refused = not answer.sequence
                self._attempt += 1
                self.sent += 0 if refused else 1
                pause_s = self.site.world.random.expovariate(12)
                self.site.world.after(pause_s, self._next)


class Follower:
    """The real follower, on stream and journal or on the journal alone."""

    def __init__(self, site: Site, name: str, *, journal_only: bool) -> None:
        self.site = site
        self.applied: list[Applied] = []
        self._entries = follow(
            site.address, follower=name, after_sequence=0, block_ms=0, journal_only=journal_only
        )

    def start(self) -> None:
        self._poll()

    def _poll(self) -> None:
        for _ in range(8):
            entry: StreamEntry | None = next(self._entries)
            if entry is None:
                break
            last = self.applied[-1].sequence if self.applied else 0
            assert entry.after_sequence == last, f"{entry.after_sequence} follows {last}"
            self.applied += entry.applied
        self.site.world.after(self.site.world.random.uniform(0.01, 0.15), self._poll)

    def close(self) -> None:
        self._entries.close()

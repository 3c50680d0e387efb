"""One run of the simulator: faults for a while, then calm, then what must hold."""

from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest

from matching.engine import Engine
from matching.journal import JournalReader
from matching.protocol.commands import AnyCommand, CancelOrder, PlaceOrder, Sequenced, SetHeartbeat
from matching.protocol.events import Applied, OrderAccepted
from tests.matching.market import ALICE, BOB, BUY, CAROL, GTC, IOC, SELL, opening, order
from tests.matching.simulator.nodes import Follower, Member, Node, Site
from tests.matching.simulator.world import World

FAULTS_S = 12.0
CALM_S = 120.0
COMMANDS = 60
FAULTS = (
    "kill",
    "kill",
    "power",
    "power_in_write",
    "power_in_write",
    "both",
    "pause",
    "strike",
    "strike",
    "strike",
    "part",
    "part",
    "office",
    "full",
    "redis_down",
    "redis_flushed",
    "lossy",
)


class Simulation:
    """Two engines, two followers, four members; everything follows from the seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.world = World(seed)
        self.site = Site(self.world, folder, lease_expires=seed % 2 == 0)
        self.nodes = [Node(self.site, name) for name in ("a", "b")]
        random = Random(seed)
        self.members = [Member(self.site, "house", [(each, True) for each in opening()])]
        self.members += [
            Member(self.site, str(account), list(_orders(account, random)))
            for account in (ALICE, BOB, CAROL)
        ]
        self.followers: list[Follower] = []

    def run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Play it and assert what must hold."""
        self._patch(monkeypatch)
        self.followers = [
            Follower(self.site, "stream", journal_only=False),
            Follower(self.site, "journal", journal_only=True),
        ]
        starting: list[Node | Member | Follower] = [*self.nodes, *self.members, *self.followers]
        for each in starting:
            each.start()
        self._plan_fault()
        self.world.run(FAULTS_S)
        self._calm()
        until = self.world.now + CALM_S
        while not self._settled() and self.world.now < until:
            self.world.run(self.world.now + 0.5)
        self._check()

    def close(self) -> None:
        for each in self.followers:
            each.close()
        for node in self.nodes:
            node.life += 1
            for role in (node.leads, node.stands_by):
                if role is not None:
                    role.journal.close()

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        silent: Any = lambda event, **fields: None
        for module in ("replication", "pipeline", "publisher"):
            monkeypatch.setattr(f"matching.runtime.{module}.crash_point", self.site.crash_point)
        for module in ("replication", "pipeline", "publisher", "recovery"):
            monkeypatch.setattr(f"matching.runtime.{module}.log", silent)
        for module in ("reader", "writer"):
            monkeypatch.setattr(f"matching.journal.{module}.os", self.site.disk)
        stream = self.site.redis.stream
        # The package's name of the same spelling is the function.
        follow = import_module("matching.client.follow")
        monkeypatch.setattr(follow, "Stream", lambda url, instance, block_ms: stream(instance))
        monkeypatch.setattr(follow, "RETRY_S", 0.0)
        monkeypatch.setattr("matching.runtime.run.sync_folder", lambda folder: None)

    def _plan_fault(self) -> None:
        self.world.after(self.world.random.uniform(0.1, 1.6), self._fault)

    def _fault(self) -> None:
        if self.world.calm:
            return
        random, site = self.world.random, self.site
        node = random.choice(self.nodes)
        lasting_s = random.uniform(0.1, 3.0)
        match random.choice(FAULTS):
            case "kill":
                node.end("killed")
            case "power":
                node.end("power cut", power=True)
            case "power_in_write":
                site.disk.cut_in[str(node.folder)] = random.randint(1, 8)
            case "both":
                for each in self.nodes:
                    each.end("power cut", power=True)
            case "pause":
                node.paused_until = max(node.paused_until, self.world.now + lasting_s)
            case "strike":
                site.strike_in[node.name] = random.randint(1, 40)
            case "part":
                self._part(frozenset(("a", "b")), lasting_s)
            case "office":
                self._part(frozenset((node.name, "office")), lasting_s)
            case "full":
                site.disk.full.add(str(node.folder))
                self.world.after(lasting_s, partial(site.disk.full.discard, str(node.folder)))
            case "redis_down":
                site.redis.down = True
                self.world.after(lasting_s, self._redis_up)
            case "redis_flushed":
                site.redis.flush()
            case "lossy":
                site.network.loss = random.choice((0.0, 0.02, 0.2))
        self._plan_fault()

    def _part(self, link: frozenset[str], lasting_s: float) -> None:
        self.site.network.cut.add(link)
        self.world.after(lasting_s, partial(self.site.network.cut.discard, link))

    def _redis_up(self) -> None:
        self.site.redis.down = False

    def _calm(self) -> None:
        site = self.site
        self.world.calm = True
        site.network.cut.clear()
        site.network.loss = 0.0
        site.disk.full.clear()
        site.disk.cut_in.clear()
        site.strike_in.clear()
        self._redis_up()

    def _leader(self) -> Node | None:
        leading = [node for node in self.nodes if node.leads is not None]
        return leading[0] if len(leading) == 1 else None

    def _settled(self) -> bool:
        leader = self._leader()
        if leader is None or leader.leads is None or not all(each.done for each in self.members):
            return False
        standby = leader.other.stands_by
        last = leader.leads.engine.sequence
        return (
            leader.leads.replication.standby is not None
            and standby is not None
            and standby.standby.engine.sequence == last
            and all(each.applied and each.applied[-1].sequence == last for each in self.followers)
        )

    def _check(self) -> None:
        leader = self._leader()
        assert self._settled(), "the faults have ceased, and not everything was answered"
        assert leader is not None and leader.leads is not None
        standby = leader.other.stands_by
        assert standby is not None
        final = _journal(leader.folder)
        assert _journal(leader.other.folder) == final, "the journals differ"
        engine = Engine()
        applied = [engine.apply(sequenced) for sequenced in final]
        engine._check()
        assert engine.state_hash() == leader.leads.engine.state_hash()
        assert engine.state_hash() == standby.standby.engine.state_hash()
        self._check_answers(applied)
        _check_once(final, applied)
        for each in self.followers:
            assert each.applied == applied, "a follower saw something else than the journal"
        for epoch, names in self.site.answered_by.items():
            assert len(names) == 1, f"{names} answered under epoch {epoch}"

    def _check_answers(self, applied: list[Applied]) -> None:
        for member in self.members:
            for sequence, answer in member.answers.items():
                assert sequence <= len(applied), f"an answer at {sequence} was taken back"
                assert answer.events == applied[sequence - 1].events, "an answer was untrue"


def _check_once(final: list[Sequenced], applied: list[Applied]) -> None:
    """Assert that no order was accepted twice, and no cancel that is sent once came twice."""
    accepted = [
        (event.account, event.client_order_id)
        for each in applied
        for event in each.events
        if isinstance(event, OrderAccepted)
    ]
    assert len(accepted) == len(set(accepted)), "an order was accepted twice"
    cancels = [each.command for each in final if isinstance(each.command, CancelOrder)]
    assert len(cancels) == len(set(cancels)), "a cancel came twice"


def _journal(folder: Path) -> list[Sequenced]:
    reader = JournalReader(folder, thorough=True)
    found: list[Sequenced] = []
    while (batch := reader.next_batch()) is not None:
        found += batch
    reader.close()
    return found


def _orders(account: int, random: Random) -> list[tuple[AnyCommand, bool]]:
    """Orders that rest and trade, each under its own id, and cancels, each sent once."""
    commands: list[tuple[AnyCommand, bool]] = []
    placed: list[PlaceOrder] = []
    for place in range(COMMANDS):
        if random.random() < 0.05:
            commands.append((SetHeartbeat(account, random.randint(1, 3) * 10**9), True))
            continue
        if placed and random.random() < 0.25:
            name = placed.pop(random.randrange(len(placed))).client_order_id
            commands.append((CancelOrder(account, 0, name), False))
            continue
        placed.append(
            order(
                account,
                random.choice((BUY, SELL)),
                100 + random.randint(-3, 3),
                random.randint(1, 5),
                client_order_id=f"{account}-{place}",
                time_in_force=random.choice((GTC, GTC, IOC)),
            )
        )
        commands.append((placed[-1], True))
    return commands

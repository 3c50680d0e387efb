"""Virtual time and what passes between nodes in it: events, a network, a lease.

What must not live here: what the nodes do with any of it.
"""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import msgspec

from matching.runtime.lease import LeaseHeld, LeaseLost, LeaseUnreachable, Standing

TTL_S = 1.0
DELAY_S = 0.001


class World:
    """A clock that stands still while something happens, and jumps to what happens next."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.calm = False
        """Whether the faults have ceased."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, delay_s: float, do: Callable[[], None]) -> None:
        """Have something happen later."""
        heapq.heappush(self._events, (self.now + delay_s, next(self._order), do))

    def run(self, until: float) -> None:
        """Let happen what happens up to a time; may be called while something happens."""
        while self._events and self._events[0][0] <= until:
            self.now, _, do = heapq.heappop(self._events)
            do()
        self.now = max(self.now, until)

    def chance(self, probability: float) -> bool:
        """Tell whether a fault strikes: never once they have ceased."""
        return not self.calm and self.random.random() < probability


class Network:
    """Drops, delays, reorders and repeats messages, and cuts links, until the faults cease."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.cut: set[frozenset[str]] = set()
        self.loss = 0.0

    def send(self, sender: str, receiver: str, message: Any, take: Callable[[Any], None]) -> None:
        """Have the receiver take a message as it comes off the wire, if it does."""
        world = self._world
        data = msgspec.msgpack.encode(message)
        for _ in range(2 if world.chance(self.loss) else 1):
            if world.chance(self.loss) or self.parted(sender, receiver):
                continue
            slow = world.chance(self.loss)
            delay_s = world.random.uniform(0.2, 2.0) if slow else DELAY_S
            # Without losses it is the stream that the engines use.
            delay_s += world.random.uniform(0, 0.01) if world.chance(self.loss) else 0
            world.after(delay_s, lambda: take(data))

    def parted(self, one: str, other: str) -> bool:
        """Tell whether no message passes between two."""
        return frozenset((one, other)) in self.cut


class LeaseOffice:
    """Where the lease is on record: a file that the kernel unlocks, or a row that expires."""

    def __init__(self, world: World, network: Network, expires: bool) -> None:
        self.world = world
        self.network = network
        self.expires = expires
        self.standing = Standing()
        self.holder: SimulatedLease | None = None
        self.until = 0.0

    def held_by_other(self, lease: "SimulatedLease") -> bool:
        """Tell whether somebody else leads, as far as the office knows."""
        if self.holder is None or self.holder is lease:
            return False
        return not self.expires or self.world.now < self.until


class SimulatedLease:
    """One process' lease, by the real decisions (`Standing`) in virtual time."""

    def __init__(self, office: LeaseOffice, node: str) -> None:
        self.node = node
        self.epoch = 0
        self._office = office
        self._until = 0.0

    def take(self) -> None:
        office = self._office
        if not self._reached():
            raise LeaseHeld("the office cannot be reached")
        if office.held_by_other(self):
            raise LeaseHeld("another leads")
        office.standing = office.standing.taken_by(self.node)
        office.holder = self
        self.epoch = office.standing.epoch
        office.until = self._until = office.world.now + TTL_S

    def standing(self) -> Standing:
        if not self._reached():
            raise LeaseUnreachable
        return self._office.standing

    def record(self, holders: tuple[str, ...]) -> None:
        office = self._office
        if not self._reached() or not self.owned():
            raise LeaseLost("another may lead")
        office.standing = Standing(self.epoch, holders)

    def owned(self) -> bool:
        """Tell whether the office still has this lease down as the one in force."""
        office = self._office
        valid = not office.expires or office.world.now < office.until
        return office.holder is self and valid

    def renew(self) -> None:
        """Extend it, as a thread of the process does several times a term."""
        asked_at = self._office.world.now
        if self._office.expires and self._reached() and self.owned():
            self._office.until = self._until = asked_at + TTL_S

    def valid(self) -> bool:
        return not self._office.expires or self._office.world.now < self._until

    def release(self) -> None:
        if self._office.holder is self:
            self._office.holder = None

    def _reached(self) -> bool:
        return not self._office.network.parted(self.node or "a", "office")

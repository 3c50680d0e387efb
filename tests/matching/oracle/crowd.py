"""A crowd that sends everything an engine can be sent, drawn from a seed alone.

It reads what the oracle has open, so that amends, cancels, pairs and routes name orders that exist;
now and then it sends nonsense.
"""

from collections.abc import Callable, Iterator
from random import Random

from matching.protocol.commands import Advance, AnyCommand, Sequenced
from tests.matching.oracle.bodies import Bodies
from tests.matching.oracle.machine import Oracle
from tests.matching.oracle.members import Members
from tests.matching.oracle.officers import Officers
from tests.matching.oracle.venue import NOON_NS, SECOND_NS, opening

HOUR_NS = 3_600 * SECOND_NS


class Crowd:
    """Yields the commands of a seed; the caller applies each to the oracle before the next."""

    def __init__(self, seed: int, oracle: Oracle) -> None:
        self.random = Random(seed)
        self.oracle = oracle
        self.time_ns = NOON_NS + self.random.randrange(24 * HOUR_NS)
        members = Members(self.random, oracle.state)
        officers = Officers(self.random, oracle.state)
        bodies = Bodies(self.random, oracle.state)
        self.senders: list[tuple[float, Callable[[], AnyCommand]]] = [
            (60, members.place),
            (9, members.amend),
            (7, members.cancel),
            (1, members.cancel_all),
            (4, officers.set_phase),
            (1.5, officers.define_instrument),
            (0.6, officers.set_eligibility),
            (0.8, officers.set_fee_tier),
            (1, officers.set_kill_switch),
            (0.8, officers.set_heartbeat),
            (0.2, officers.define_segment),
            (1.2, officers.begin_session),
            (0.3, officers.open_account),
            (1.5, bodies.credit),
            (1, bodies.debit),
            (0.8, bodies.transfer),
            (0.8, bodies.convert),
            (0.7, bodies.allocate_cash),
            (0.6, bodies.split_holdings),
            (2.5, bodies.hold_route),
            (1, bodies.release_route),
            (1.5, bodies.fill_route),
            (0.8, bodies.compensate_fill),
        ]

    def commands(self, count: int) -> Iterator[Sequenced]:
        """Yield so many commands, `Advance` among them whenever a sequencer would put it in."""
        waiting = opening()
        target_ns = self.time_ns
        for sequence in range(1, count + 1):
            due_ns, self.time_ns = self.oracle.due_ns, self.time_ns + 1
            if due_ns <= target_ns:
                late = self.random.random() < 0.2
                self.time_ns = max(self.time_ns, target_ns if late else due_ns)
                yield Sequenced(sequence, self.time_ns, Advance(self.random.getrandbits(32)))
                continue
            self.time_ns = max(self.time_ns, target_ns)
            command = waiting.pop(0) if waiting else self._next()
            target_ns = self.time_ns + self._pause()
            yield Sequenced(sequence, self.time_ns, command)

    def _next(self) -> AnyCommand:
        weights = [weight for weight, _ in self.senders]
        ((_, send),) = self.random.choices(self.senders, weights)
        return send()

    def _pause(self) -> int:
        """Draw how long nobody says anything: mostly milliseconds, seldom a day."""
        kind = self.random.random()
        if kind < 0.8:
            return self.random.randrange(1, SECOND_NS // 20)
        if kind < 0.985:
            return self.random.randrange(SECOND_NS)
        if kind < 0.998:
            return self.random.randrange(8 * SECOND_NS)
        return self.random.randrange(40 * HOUR_NS)

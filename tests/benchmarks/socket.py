"""The engine process over its socket: every batch in a synced journal, published to a real Valkey.

Clients are the real library, pipelined, each in a process of its own, on the same cores. What must
not live here: a shorter way than the one the door's orders take.
"""

import multiprocessing
from itertools import count
from multiprocessing.synchronize import Barrier
from random import Random
from time import perf_counter

from matching.journal.format import SEGMENT_BYTES
from matching.protocol.commands import AnyCommand, CancelOrder, PlaceOrder
from matching.protocol.events import OrderAccepted, Refused
from matching.protocol.refusals import Refusal
from matching.protocol.units import OrderKind, Side, TimeInForce
from tests.benchmarks.flow import (
    DISTANCE_TICKS,
    INSTRUMENT,
    LOTS_MAX,
    MID_TICKS,
    REVENUE,
    market,
)
from tests.benchmarks.runs import Figures, medians
from tests.matching.processes import EngineHost

CLIENTS = 2
COMMANDS_PER_CLIENT = 60_000
# Three windows of the client library: it sends one, takes its answers, sends the next.
CALL = 768


def socket() -> Figures:
    """Measure acknowledgements per second, from the first command sent to the last answer taken.

    Once alone and once with a standby, whose journal holds each batch before it is answered.
    """
    found = medians(_round)
    return {name: round(figure) for name, figure in found.items()}


def _round(number: int) -> Figures:
    return {
        "socket_acks_per_s": _acks_per_s(with_standby=False),
        "socket_standby_acks_per_s": _acks_per_s(with_standby=True),
    }


def _acks_per_s(*, with_standby: bool) -> int:
    host = EngineHost(SEGMENT_BYTES)
    standby = host.twin("standby") if with_standby else None
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(CLIENTS + 1)
    try:
        host.valkey.start()
        host.start()
        host.client().send_many(market(2 * CLIENTS))
        if standby is not None:
            standby.stand_by()
        before = host.status().sequence
        clients = [
            context.Process(target=_load, args=(host, client, barrier)) for client in range(CLIENTS)
        ]
        for process in clients:
            process.start()
        barrier.wait(60)
        started = perf_counter()
        barrier.wait(600)
        seconds = perf_counter() - started
        for process in clients:
            process.join(60)
            assert process.exitcode == 0, f"a client ended with {process.exitcode}"
        acks = host.status().sequence - before
        assert acks == CLIENTS * COMMANDS_PER_CLIENT, f"{acks} commands were sequenced"
        assert host.status().standby is with_standby, "the standby was lost on the way"
    finally:
        if standby is not None:
            standby.end()
        host.close()
    return round(acks / seconds)


def _load(host: EngineHost, number: int, barrier: Barrier) -> None:
    """Send one member's share; cancels name orders that earlier answers have told of."""
    client = host.client()
    made = Commands(number)
    barrier.wait(60)
    sent = 0
    while sent < COMMANDS_PER_CLIENT:
        answers = client.send_many(made.next(min(CALL, COMMANDS_PER_CLIENT - sent)))
        sent += len(answers)
        for answer in answers:
            event = answer.events[0]
            assert not isinstance(event, Refused) or event.code is Refusal.UNKNOWN_ORDER, event
            if isinstance(event, OrderAccepted) and event.time_in_force is TimeInForce.GTC:
                made.resting.append(event.order_id)
    barrier.wait(60)
    client.close()


class Commands:
    """The same shares as in `flow`: 60 % rest, 30 % cancel, 10 % take."""

    def __init__(self, number: int) -> None:
        self.resting: list[int] = []
        self._random = Random(number)
        # Every other client buys: nobody meets an own order.
        self._account = REVENUE + 1 + number
        self._side = (Side.BUY, Side.SELL)[number % 2]
        self._names = count()

    def next(self, size: int) -> list[AnyCommand]:
        """Return so many commands."""
        return [self._one() for _ in range(size)]

    def _one(self) -> AnyCommand:
        chance = self._random.random()
        if chance < 0.30 and self.resting:
            place = self._random.randrange(len(self.resting))
            self.resting[place], self.resting[-1] = self.resting[-1], self.resting[place]
            return CancelOrder(self._account, self.resting.pop())
        taking = chance > 0.90
        distance = 1 + int(self._random.expovariate(1 / DISTANCE_TICKS))
        away = -20 * DISTANCE_TICKS if taking else distance
        price = MID_TICKS - away if self._side is Side.BUY else MID_TICKS + away
        lots = self._random.randint(1, 3 * LOTS_MAX if taking else LOTS_MAX)
        force = TimeInForce.IOC if taking else TimeInForce.GTC
        name = f"load-{self._account}-{next(self._names):09d}"
        kind = OrderKind.LIMIT
        return PlaceOrder(self._account, name, INSTRUMENT, self._side, kind, force, price, lots)

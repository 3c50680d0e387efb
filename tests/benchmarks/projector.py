"""How fast the projector writes fills: a prepared stream, the real projector, a real PostgreSQL.

The stream is what an engine publishes for seeded orders of 500 accounts in nine instruments; the
database is the embedded one with every commit synced. Tables grow from round to round.
"""

import os
import random
import time

import django

from exchange.stack import Stack
from matching.client import EngineAddress
from matching.engine import Engine
from matching.protocol.codec import StreamEntry
from matching.protocol.commands import (
    AnyCommand,
    Credit,
    DefineInstrument,
    OpenAccount,
    PlaceOrder,
    Sequenced,
    SetEligibility,
    SetPhase,
)
from matching.protocol.events import Applied
from matching.protocol.units import AccountKind, OrderKind, Phase, Side, TimeInForce
from matching.stream import Stream
from tests.benchmarks.runs import ROUNDS, Figures, fresh_stack, medians, say

FILLS = int(os.environ.get("NEXUS_BENCH_PROJECTOR_FILLS", "50000"))
ACCOUNTS = range(1_000, 1_500)
INSTRUMENTS = range(1, 10)
# As many as an engine under this load takes at once.
COMMANDS_PER_ENTRY = 100
SEED = 20_261_122
START_NS = 1_790_000_000_000_000_000


def projector() -> Figures:
    """Return `projected_fills_per_s`, and how many orders came with each fill."""
    parts = ("postgres", "valkey")
    with fresh_stack("bench-projector", processes=(), parts=parts, setup=("migrate",)) as stack:
        os.environ.update(stack.env)
        django.setup()
        stream = Stream(stack.urls["REDIS_URL"], str(stack.instance.identity))
        stream.fence(1, 0)
        market = _Market()
        say(f"preparing {ROUNDS} x {FILLS:,} fills")
        found = medians(lambda number: _round(stack, stream, market))
    return found


class _Market:
    """An engine of its own, without socket and journal, and its flow of orders."""

    def __init__(self) -> None:
        self.engine = Engine()
        self._random = random.Random(SEED)
        self._number = 0
        self.opening = [self._send(command) for command in self._opening()]

    def trade(self, fills: int) -> list[Applied]:
        """Place orders until there are so many fills more."""
        done, until = [], self.engine.fills + fills
        while self.engine.fills < until:
            done.append(self._send(self._order()))
        return done

    def _send(self, command: AnyCommand) -> Applied:
        sequence = self.engine.sequence + 1
        return self.engine.apply(Sequenced(sequence, START_NS + sequence, command))

    def _opening(self) -> list[AnyCommand]:
        commands: list[AnyCommand] = [OpenAccount(2, 2, AccountKind.REVENUE)]
        for number in INSTRUMENTS:
            commands += [
                DefineInstrument(number, number + 1, 1, 10, 100, 1, 10**6, 0, 0, 100, 300),
                SetPhase(number, Phase.CONTINUOUS),
            ]
        for account in ACCOUNTS:
            commands += [OpenAccount(account, account), SetEligibility(account, 1, 1)]
            commands += [
                Credit(account, asset, 10**15, f"{account}:{asset}") for asset in range(1, 11)
            ]
        return commands

    def _order(self) -> PlaceOrder:
        draw = self._random
        self._number += 1
        return PlaceOrder(
            account=draw.choice(ACCOUNTS),
            client_order_id=f"{self._number:032x}",
            instrument=draw.choice(INSTRUMENTS),
            side=draw.choice((Side.BUY, Side.SELL)),
            kind=OrderKind.LIMIT,
            time_in_force=TimeInForce.GTC,
            price_ticks=draw.randint(995, 1_005),
            quantity_lots=draw.randint(1, 50),
        )


def _round(stack: Stack, stream: Stream, market: _Market) -> Figures:
    """Publish another round's fills, and time the projector over them."""
    before = market.engine.fills, market.engine.sequence
    first = market.opening if not before[0] else []
    applied = [*first, *market.trade(FILLS)]
    entries = [
        StreamEntry(part[0].sequence - 1, tuple(part))
        for start in range(0, len(applied), COMMANDS_PER_ENTRY)
        if (part := applied[start : start + COMMANDS_PER_ENTRY])
    ]
    stream.publish(1, entries)
    seconds = _projected(stack, market.engine.sequence)
    fills = market.engine.fills - before[0]
    return {
        "projected_fills_per_s": round(fills / seconds),
        "projected_orders_per_fill": round((market.engine.sequence - before[1]) / fills, 2),
    }


def _projected(stack: Stack, sequence: int) -> float:
    """Run the projector in this process until it stands at `sequence`; return its seconds."""
    from compliance.process import Stop
    from exchange.trading.projector import project
    from exchange.trading.selectors import projector_position

    class Done(Stop):
        done = False
        looked_at = 0.0

        def __bool__(self) -> bool:
            if not self.done and time.monotonic() > self.looked_at + 0.05:
                self.looked_at = time.monotonic()
                self.done = projector_position() >= sequence
            return self.done

    address = EngineAddress(
        stack.instance.engine_socket,
        stack.instance.journal,
        stack.urls["REDIS_URL"],
        str(stack.instance.identity),
    )
    started = time.monotonic()
    project(address, stop=Done())
    return time.monotonic() - started

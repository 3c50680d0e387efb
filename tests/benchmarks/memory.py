"""Memory of each process of a running exchange, and how its speed grows, at 1 x and 10 x.

1 x is 50 members and 10,000 resting orders over nine instruments. Proportional set size counts a
page that several processes share once in all; of a process with children it is the sum of all.
"""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from matching.protocol.commands import PlaceOrder
from matching.protocol.events import OrderAccepted
from matching.protocol.queries import InstrumentState
from matching.protocol.units import OrderKind, Side, TimeInForce
from tests.benchmarks.clearing import pair
from tests.benchmarks.core import core_growth
from tests.benchmarks.rest import round_play
from tests.benchmarks.runs import Figures, say
from tests.benchmarks.venue import Venue, peopled
from tests.waiting import wait_until

MEMBERS = int(os.environ.get("NEXUS_BENCH_MEMORY_MEMBERS", "50"))
# Trades of a burst.
FILLS = int(os.environ.get("NEXUS_BENCH_MEMORY_FILLS", "20000"))
ORDERS = int(os.environ.get("NEXUS_BENCH_MEMORY_ORDERS", "10000"))
FACTOR = 10
CAUGHT_UP_S = 600
COMMANDS_AT_ONCE = 1_000
SEED = 20_261_122


def memory() -> Figures:
    """Return `memory` and `growth`, both by size: mebibytes of each process, and figures."""
    memory, growth = {}, {}
    with (
        peopled("bench-memory", MEMBERS) as venue,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as crowd,
    ):
        draw = random.Random(SEED)
        for size, members, orders in (
            ("1x", 0, ORDERS),
            ("10x", (FACTOR - 1) * MEMBERS, (FACTOR - 1) * ORDERS),
        ):
            say(f"{size}: {members:,} members and {orders:,} resting orders more")
            venue.members_add(members)
            _rest(venue, orders, draw)
            wait_until(venue.followed, timeout_s=CAUGHT_UP_S)
            growth[size] = round_play(venue, crowd, number=0) | _burst(venue, draw)
            memory[size] = {
                name: process_mib(venue.stack.process(name).pid) for name in venue.stack.names
            }
            say(f"{size}: {growth[size]}")
    return {"memory": memory, "growth": growth | core_growth()}


def _burst(venue: Venue, draw: random.Random) -> Figures:
    """Let members trade at once, and return how fast engine, projector and clearing take it in.

    Rates are those of a burst through engine and socket, from its first command.
    """
    from exchange.trading.selectors import projector_position

    accounts = [trader.account for trader in venue.traders]
    states = venue.instruments().instruments
    orders = [order for _ in range(FILLS) for order in pair(draw, accounts, states)]
    before, started = venue.status(), time.perf_counter()

    def rate(count: int) -> int:
        return round(count / (time.perf_counter() - started))

    venue.engine.send_many(orders)
    acks = rate(len(orders))
    after = venue.status()
    fills = after.fills - before.fills
    wait_until(lambda: projector_position() >= after.sequence, timeout_s=CAUGHT_UP_S)
    projected = rate(fills)
    wait_until(venue.settled, timeout_s=CAUGHT_UP_S)
    return {
        "burst_acks_per_s": acks,
        "burst_projected_fills_per_s": projected,
        "burst_settled_fills_per_s": rate(fills),
    }


def process_mib(pid: int) -> dict[str, float]:
    """Return the resident and proportional set size of a process and its children, in MiB."""
    sums = {"Rss": 0, "Pss": 0}
    for each in _family(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, rest = line.partition(":")
            if name in sums:
                sums[name] += int(rest.split()[0])
    return {f"{name.lower()}_mib": round(kib / 1024, 1) for name, kib in sums.items()}


def _family(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        yield each
        for thread in Path(f"/proc/{each}/task").iterdir():
            waiting += map(int, (thread / "children").read_text().split())


def _rest(venue: Venue, count: int, draw: random.Random) -> None:
    """Place orders that rest: bids in the lower half of the band, offers in the upper half."""
    accounts = [trader.account for trader in venue.traders]
    states = venue.instruments().instruments
    for start in range(0, count, COMMANDS_AT_ONCE):
        orders = [
            _order(draw, draw.choice(accounts), draw.choice(states))
            for _ in range(min(COMMANDS_AT_ONCE, count - start))
        ]
        for answer in venue.engine.send_many(orders):
            assert isinstance(answer.events[0], OrderAccepted), answer.events[0]


def _order(draw: random.Random, account: int, state: InstrumentState) -> PlaceOrder:
    rules = state.definition
    low, high = rules.price_ticks_low, rules.price_ticks_high
    side = draw.choice((Side.BUY, Side.SELL))
    quarter = (high - low) // 4
    ticks = (
        draw.randint(low, low + quarter) if side == Side.BUY else high - draw.randint(0, quarter)
    )
    step = next((s for start, s in reversed(rules.tick_table) if ticks >= start), 1)
    ticks = max(ticks // step * step, -(-low // step) * step)
    name = f"{draw.getrandbits(128):032x}"
    return PlaceOrder(
        account, name, rules.instrument, side, OrderKind.LIMIT, TimeInForce.GTC, ticks, 1
    )

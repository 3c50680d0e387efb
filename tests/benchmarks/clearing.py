"""How many fills a second reach title: 500 accounts, nine instruments, a cycle of 5 s.

The node makes a block of 60 M gas each second, whatever waits. Fills are offered at an even pace
through the engine's socket, two orders each; engine, followers, both halves of clearing, signers,
worker and database are those of any exchange. Beside it stands one transaction a fill: the same
contract settles batches of one, each signed by both bodies' keys, with no other work going on.
"""

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from exchange.stack import Stack
from exchange.stack.chain import chain_call
from exchange.stack.instance import REPOSITORY
from exchange.stack.processes import ROWS, manage
from matching.protocol.commands import PlaceOrder
from matching.protocol.events import Filled
from matching.protocol.queries import InstrumentState
from matching.protocol.units import OrderKind, Side, TimeInForce
from tests.benchmarks.rest import ticks_around
from tests.benchmarks.runs import Figures, say
from tests.benchmarks.single import single
from tests.benchmarks.venue import Venue, peopled
from tests.waiting import wait_until

ACCOUNTS = int(os.environ.get("NEXUS_BENCH_CLEARING_ACCOUNTS", "500"))
SECONDS = float(os.environ.get("NEXUS_BENCH_CLEARING_SECONDS", "60"))
# A little above the target, which could not be reached otherwise.
FILLS_PER_S = float(os.environ.get("NEXUS_BENCH_CLEARING_FILLS_PER_S", "1600"))
CYCLE_S = 5
BLOCK_S = 1
BLOCK_GAS = 60_000_000
PULSE_S = 0.05
SETTLED_S = 600
SEED = 20_261_122


def clearing() -> Figures:
    """Return `settled_fills_per_s`, `gas_per_fill`, delays, and both figures of the single way.

    The rate is that of batches becoming final while fills are offered: from the first batch's
    confirmation to that of the last but one, over the fills of all but the first. The last batch
    was composed when no more fills came.
    """
    names = [row.name for row in ROWS if row.name != "venue-clearing"]
    with peopled("bench-clearing", ACCOUNTS, processes=names) as venue:
        url = venue.stack.urls["CHAIN_URL"]
        _blocks_every(url, BLOCK_S)
        with _cycle(venue.stack):
            say(f"offering {FILLS_PER_S:g} fills/s for {SECONDS:g} s")
            times = _offer(venue)
            wait_until(venue.settled, timeout_s=SETTLED_S)
        figures = _figures(times)
        say(", ".join(f"{name} {value:,}" for name, value in figures.items()))
        for name in ("worker", "beat", "clearing-signer", "venue-signer"):
            venue.stack.stop(name)
        return figures | single(venue)


def _blocks_every(url: str, seconds: int) -> None:
    """Make the node mine by the clock alone, blocks of `BLOCK_GAS`."""
    for method, value in (
        ("evm_setBlockGasLimit", hex(BLOCK_GAS)),
        ("evm_setAutomine", False),
        ("evm_setIntervalMining", seconds),
    ):
        chain_call(url, method, value)  # type: ignore[arg-type]


@contextmanager
def _cycle(stack: Stack) -> Iterator[None]:
    """Run the venue's half of clearing with a cycle of its own."""
    command = manage("batches_propose", "--skip-checks", "--cycle-s", str(CYCLE_S))
    with (
        open(stack.instance.logs / "venue-clearing.log", "a") as log,
        subprocess.Popen(command, env=stack.env, cwd=REPOSITORY, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def _offer(venue: Venue) -> dict[int, int]:
    """Make fills at an even pace; return each fill's time in ns by its sequence number."""
    accounts = [trader.account for trader in venue.traders]
    draw, states = random.Random(SEED), venue.instruments().instruments
    times: dict[int, int] = {}
    pulse, made, started = threading.Event(), 0, time.monotonic()
    while (elapsed := time.monotonic() - started) < SECONDS:
        due = int(elapsed * FILLS_PER_S) - made
        if due <= 0:
            pulse.wait(PULSE_S)
            continue
        orders = [order for _ in range(due) for order in pair(draw, accounts, states)]
        for answer in venue.engine.send_many(orders):
            if isinstance(answer.events[-1], Filled):
                times[answer.sequence] = answer.time_ns
        made += due
    if len(times) != made:
        raise RuntimeError(f"{made} pairs of orders made {len(times)} fills")
    say(f"{made / (time.monotonic() - started):,.0f} fills/s were made")
    return times


def pair(
    draw: random.Random, accounts: Sequence[int], states: Sequence[InstrumentState]
) -> tuple[PlaceOrder, PlaceOrder]:
    """Return an order and the one that takes it."""
    state = draw.choice(states)
    seller, buyer = draw.sample(accounts, 2)
    price, lots = draw.choice(ticks_around(state, 10)), draw.randint(1, 20)
    instrument = state.definition.instrument

    def order(account: int, side: Side, force: TimeInForce) -> PlaceOrder:
        name = f"{draw.getrandbits(128):032x}"
        return PlaceOrder(account, name, instrument, side, OrderKind.LIMIT, force, price, lots)

    return (
        order(seller, Side.SELL, TimeInForce.GTC),
        order(buyer, Side.BUY, TimeInForce.IOC),
    )


def _figures(times: dict[int, int]) -> Figures:
    """Return what the confirmed batches say."""
    from settlement.models import Batch

    found = list(Batch.objects.filter(state="confirmed").order_by("batch_id"))
    ours = [batch for batch in found if batch.confirmed_at is not None]
    ends = [batch.confirmed_at.timestamp() for batch in ours if batch.confirmed_at]
    delays = []
    for batch, end in zip(ours, ends, strict=True):
        covered = range(batch.from_sequence, batch.to_sequence + 1)
        delays += [end - times[each] / 1e9 for each in covered if each in times]
    delays.sort()
    fills = sum(batch.fills for batch in ours)
    begun = min(times.values()) / 1e9
    if len(ours) < 3:
        raise RuntimeError("all fills went into two batches: offer them for longer")
    offered = sum(batch.fills for batch in ours[1:-1])
    return {
        "settled_fills_per_s": round(offered / (ends[-2] - ends[0])),
        "settled_fills_per_s_from_first_order": round(fills / (ends[-1] - begun)),
        "gas_per_fill": round(sum(batch.gas_used for batch in ours) / fills),
        "settled_batches": len(ours),
        "settled_delay_p50_s": round(delays[len(delays) // 2], 1),
        "settled_delay_worst_s": round(delays[-1], 1),
    }

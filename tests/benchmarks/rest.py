"""How many signed orders a second the real door accepts while the whole exchange runs.

Engine, followers, signers, worker, both halves of clearing, the node and the crowd of traders share
the machine. A round counts only when every order was accepted, and ends with nothing left behind:
every follower has caught up and every fill is title.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor

import msgspec

from matching.protocol.queries import InstrumentState
from tests.benchmarks import load
from tests.benchmarks.runs import Figures, medians, say
from tests.benchmarks.venue import Venue, peopled
from tests.waiting import wait_until

MEMBERS = int(os.environ.get("NEXUS_BENCH_REST_MEMBERS", "50"))
SECONDS = float(os.environ.get("NEXUS_BENCH_REST_SECONDS", "10"))
CONNECTIONS = 16
PRICES, QUANTITIES = 10, 20
BACKLOG_S = 300


def rest() -> Figures:
    """Return `rest_orders_per_s`, `rest_p99_ms`, and how long the rest then took to catch up."""
    spawn = multiprocessing.get_context("spawn")
    with (
        peopled("bench-rest", MEMBERS) as venue,
        ProcessPoolExecutor(1, mp_context=spawn) as crowd,
    ):
        say(f"{CONNECTIONS} connections, {SECONDS:g} s a round; the first is not counted")
        round_play(venue, crowd, 0)
        return medians(lambda number: round_play(venue, crowd, number + 1))


def round_play(venue: Venue, crowd: ProcessPoolExecutor, number: int) -> Figures:
    """Play a round and wait until nothing is left behind; raise when an order was refused."""
    plan = load.Plan(
        url=venue.stack.web_url,
        keys=tuple(load.Key(each.access_key, each.secret) for each in venue.traders),
        markets=tuple(markets(venue)),
        connections=CONNECTIONS,
        seconds=SECONDS,
        seed=number,
    )
    document = crowd.submit(load.trade, msgspec.json.encode(plan)).result()
    ended = time.monotonic()
    outcome = msgspec.json.decode(document, type=load.Outcome)
    if outcome.refused:
        raise RuntimeError(f"orders were not accepted: {outcome.refused}, {outcome.sample}")
    wait_until(venue.followed, timeout_s=BACKLOG_S)
    followed = time.monotonic()
    wait_until(venue.settled, timeout_s=BACKLOG_S)
    return {
        "rest_orders_per_s": round(outcome.accepted / outcome.seconds),
        "rest_p50_ms": outcome.p50_ms,
        "rest_p99_ms": outcome.p99_ms,
        "rest_backlog_s": round(followed - ended, 2),
        "rest_settled_s": round(time.monotonic() - ended, 2),
    }


def markets(venue: Venue) -> list[load.Terms]:
    """Return what to trade in every market: prices around the middle of its band."""
    from exchange.listings.selectors import instruments

    states = {state.definition.instrument: state for state in venue.instruments().instruments}
    found = []
    for terms in instruments(fresh=True).values():
        prices = [terms.tick.format(ticks) for ticks in ticks_around(states[terms.id], PRICES)]
        lots = [terms.lot.format(count) for count in range(1, QUANTITIES + 1)]
        found.append(load.Terms(terms.symbol, tuple(prices), tuple(lots)))
    return found


def ticks_around(state: InstrumentState, count: int) -> list[int]:
    """Return `count` valid prices in ticks around the middle of an instrument's band."""
    rules = state.definition
    middle = (rules.price_ticks_low + rules.price_ticks_high) // 2
    step = next((s for start, s in reversed(rules.tick_table) if middle >= start), 1)
    first = middle // step - count // 2
    return [(first + place) * step for place in range(count)]

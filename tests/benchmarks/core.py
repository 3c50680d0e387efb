"""The reference book beside order books from PyPI: one flow, one core, the same run.

The engine around the book does more than any of them: balances, fees, bands, self-trade prevention,
client order ids and an event for everything. It is measured too, under a name of its own. Time is
the process's own, so that the neighbours' load counts less.
"""

import gc
import tracemalloc
from functools import partial
from importlib.metadata import version
from time import process_time

from matching.engine import Engine
from matching.protocol.commands import Sequenced
from tests.benchmarks.flow import MEMBERS, RESTING, Flow, flow, traded_lots
from tests.benchmarks.peers import PEERS, Course, reference_book
from tests.benchmarks.runs import Figures, medians, say

OURS, BOOK = "nexus", "nexus book"


def core() -> Figures:
    """Measure commands per second of the engine and each peer; all must trade the same lots."""
    given = flow()
    say(f"{len(given.measured):,} commands on {given.resting:,} resting orders")
    lots = _lots(given)
    found = medians(lambda number: _round(given, lots))
    peers = {
        name: {"commands_per_s": round(found[name]), "version": version(name)} for name in PEERS
    }
    return {
        "core_commands_per_s": round(found[BOOK]),
        "engine_commands_per_s": round(found[OURS]),
        "peers": peers,
    }


def core_growth() -> Figures:
    """Measure rate and memory of the engine at 1 x and 10 x members and resting orders."""
    found: Figures = {}
    for times in (1, 10):
        given = flow(resting=RESTING * times, members=MEMBERS * times)
        tracemalloc.start()
        engine = _opened(given)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        rate = len(given.measured) / _seconds(partial(_apply, engine, given.measured))
        found[f"engine_commands_per_s_{times}x"] = round(rate)
        found[f"engine_kib_{times}x"] = grown >> 10
        say(f"{times} x: {rate:,.0f} commands/s, {grown >> 10:,} KiB")
    return found


def _round(given: Flow, lots: int) -> Figures:
    """Measure each once, one after another; whoever trades other lots is not comparable."""
    commands = len(given.measured)
    engine = _opened(given)
    figures = {OURS: round(commands / _seconds(partial(_apply, engine, given.measured)))}
    for name, peer in ({BOOK: reference_book} | PEERS).items():
        course, traded = peer()
        course(given.opening)()
        figures[name] = round(commands / _seconds(course(given.measured)))
        assert traded() == lots, f"{name} traded {traded()} lots, expected {lots}"
    return figures


def _opened(given: Flow) -> Engine:
    engine = Engine()
    _apply(engine, given.opening)
    return engine


def _apply(engine: Engine, commands: list[Sequenced]) -> None:
    apply = engine.apply
    for sequenced in commands:
        apply(sequenced)


def _lots(given: Flow) -> int:
    """Return the lots that the flow trades, as the engine's events say."""
    engine = _opened(given)
    return sum(traded_lots(engine.apply(sequenced).events) for sequenced in given.measured)


def _seconds(course: Course) -> float:
    """Run with what is alive now kept from the collector, as the engine process does."""
    gc.collect()
    gc.freeze()
    started = process_time()
    course()
    seconds = process_time() - started
    gc.unfreeze()
    return seconds

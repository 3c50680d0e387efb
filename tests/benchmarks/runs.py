"""The benchmarks by name, and what each has to offer the others: progress, rounds, medians.

What must not live here: what any of them measures.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from exchange.stack import Instance, Stack, instance_erase

Figures = dict[str, Any]

ROUNDS = 5
BENCHMARKS = {
    "core": "the reference book beside its peers, on one flow",
    "socket": "the engine over its socket, every batch synced to disk",
    "projector": "fills from the stream into PostgreSQL",
    "rest": "signed orders through the real door, everything running",
    "clearing": "fills from order to finalised block",
    "recovery": "a start from a large snapshot and journal; the leader beside one being written",
    "memory": "memory of each process, at 1 x and 10 x accounts and orders",
}


def run(name: str) -> Figures:
    """Run a benchmark here and return its figures."""
    module = import_module(f"tests.benchmarks.{name}")
    found: Figures = getattr(module, name)()
    return found


@contextmanager
def fresh_stack(name: str, **options: Any) -> Iterator[Stack]:
    """Run an instance of this name that nothing was done in before; erase it afterwards."""
    instance_erase(Instance.named(name))
    with Stack(name, **options) as stack:
        yield stack
        stack.erase()


def say(text: str) -> None:
    """Tell how far a benchmark has come."""
    print(f"  {text}", flush=True)


def medians(measure: Callable[[int], Figures], rounds: Iterable[int] = range(ROUNDS)) -> Figures:
    """Measure several times and return the median of each figure; all rounds give the same keys."""
    found = []
    for number in rounds:
        figures = measure(number)
        say(f"round {number + 1}: " + ", ".join(f"{k} {v:,}" for k, v in figures.items()))
        found.append(figures)
    return {key: statistics.median(each[key] for each in found) for key in found[0]}

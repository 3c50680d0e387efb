"""The engine does what the oracle does: the same events, timers, answers, over a random crowd."""

from collections import Counter

import pytest

from matching.engine import Engine
from tests.matching.oracle.comparison import DifferenceFound, MakeEngine, Pair, shrunk, told
from tests.matching.oracle.coverage import count, everything
from tests.matching.oracle.crowd import Crowd

SEEDS = 10
COMMANDS = 5_000
SEEN_AT_LEAST = 10
# Twenty parts, so that workers share them: a million commands.
PARTS = 20
SEEDS_A_PART = 10


def compare(seed: int, seen: Counter[str], make: MakeEngine = Engine) -> None:
    """Hold an engine against the oracle over one seed; fail with the few commands that differ."""
    pair = Pair(make)
    try:
        for sequenced in Crowd(seed, pair.oracle).commands(COMMANDS):
            count(sequenced.command, pair.apply(sequenced), seen)
            if sequenced.sequence % 25 == 0:
                pair.compare_states()
            if sequenced.sequence % 250 == 0:
                pair.check()
    except DifferenceFound as found:
        first = f"first at command {len(found.difference.commands)}, shrunk:"
        few = told(shrunk(found.difference, make), seed)
        pytest.fail(f"{first}\n{few}", pytrace=False)


def test_engine_agrees_with_the_oracle() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        compare(seed, seen)
    shallow = {name: seen[name] for name in everything() if seen[name] < SEEN_AT_LEAST}
    assert shallow == {}, "the crowd does not get there any more"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_engine_agrees_with_the_oracle_over_a_million_commands(part: int) -> None:
    seen: Counter[str] = Counter()
    first = SEEDS + part * SEEDS_A_PART
    for seed in range(first, first + SEEDS_A_PART):
        compare(seed, seen)
    assert sum(seen[name] for name in ("Filled", "OrderCancelled")) > SEEDS_A_PART * COMMANDS // 5

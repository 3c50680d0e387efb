"""Seeded runs of leader, standby, followers and lease under every fault, in virtual time.

A failure names its seed; NEXUS_SIMULATOR_SEED=SEED runs that one alone.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.matching.simulator.simulation import Simulation

SEEDS, SLOW_SEEDS = 30, 1_000
MEMORY = Path("/dev/shm")
_chosen = os.environ.get("NEXUS_SIMULATOR_SEED")


def play(seed: int) -> Simulation:
    """Play one seed, in memory where there is such a folder."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with TemporaryDirectory(dir=where) as folder, pytest.MonkeyPatch.context() as monkeypatch:
        simulation = Simulation(seed, Path(folder))
        try:
            simulation.run(monkeypatch)
        except BaseException as error:
            error.add_note(f"run it again with NEXUS_SIMULATOR_SEED={seed}")
            raise
        finally:
            simulation.close()
        return simulation


@pytest.mark.parametrize("seed", [int(_chosen)] if _chosen else range(SEEDS))
def test_nothing_is_lost_repeated_or_taken_back(seed: int) -> None:
    play(seed)


@pytest.mark.slow
def test_nothing_is_lost_repeated_or_taken_back_over_a_thousand_seeds() -> None:
    for seed in range(SEEDS, SEEDS + SLOW_SEEDS):
        play(seed)

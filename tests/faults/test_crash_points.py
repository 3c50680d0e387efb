"""kill -9 under load at every named crash point, with real processes of a whole exchange.

After each: every acknowledged order is there once, a replay by another process with only the
journal gives the engine's hash, and every fill is on chain once.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from signal import SIGKILL

import pytest

from exchange.stack import Stack
from exchange.stack.instance import REPOSITORY
from matching.protocol.faults import (
    BODY_POINTS,
    CRASH_POINTS,
    ENGINE_POINTS,
    FOLLOWER_POINTS,
    HANDOVER_POINTS,
    REPLICATION_POINTS,
    SETTLER_POINTS,
    STANDBY_POINTS,
)
from tests.e2e.house import House
from tests.faults.load import Load
from tests.settings import SESSION_INSTANCE
from tests.waiting import wait_until

PROCESS_OF = {
    **dict.fromkeys(ENGINE_POINTS, "engine"),
    **{point: point.partition(".")[0] for point in FOLLOWER_POINTS},
    **dict.fromkeys(SETTLER_POINTS, "worker"),
    "obligations.before_commit": "clearing",
    "obligations.after_commit": "clearing",
    "settler.batch_proposed": "venue-clearing",
    "settler.batch_signed": "clearing-signer",
}
# Three deltas a chunk and gas for one chunk a transaction: every batch takes the long way.
SMALL = {
    "NEXUS_SETTLEMENT_DELTAS_PER_CHUNK": "3",
    "NEXUS_SETTLEMENT_GAS_CAP": "500000",
}
RECORDED = "SELECT client_order_id, order_id FROM trading_order"
CLEARERS = ("venue-clearing", "venue-signer", "clearing", "clearing-signer", "worker")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """An exchange of this module's own, whose batches take several transactions."""
    name = f"{SESSION_INSTANCE.name}-crash"
    with Stack(name, durable=False, process_env=dict.fromkeys(CLEARERS, SMALL)) as stack:
        yield House.peopled(stack, "Ahn Seojun", "Bae Yuna", "Cho Hyunwoo", "Do Jiwoo")
        stack.erase()


def _died(house: House, process: str) -> bool:
    """Tell whether the process died of signal 9: itself, or Celery's child that did the work."""
    if process == "worker":
        log = house.stack.instance.logs / "worker.log"
        return "signal 9 (SIGKILL)" in log.read_text()[house.worker_log_offset :]
    return house.stack.process(process).returncode == -SIGKILL


def _replayed_hash(house: House) -> str:
    """Replay the journal in a process that has nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "matching", "replay", str(house.stack.instance.journal), "--json"],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["state_hash"])


def test_every_crash_point_is_visited() -> None:
    elsewhere = {*BODY_POINTS, *REPLICATION_POINTS, *STANDBY_POINTS, *HANDOVER_POINTS}
    assert set(PROCESS_OF) == set(CRASH_POINTS) - elsewhere


@pytest.mark.parametrize("point", PROCESS_OF)
def test_nothing_is_lost_or_done_twice_when_killed(house: House, point: str) -> None:
    process = PROCESS_OF[point]
    house.worker_log_offset = (house.stack.instance.logs / "worker.log").stat().st_size
    house.stack.kill(process)
    # The worker counts visits in each of its children, so that their first has to do.
    visit = 1 if process == "worker" else 2
    house.stack.start(process, {"NEXUS_CRASH_POINT": f"{point}:{visit}"})
    with Load(house.traders) as load:
        wait_until(lambda: _died(house, process), timeout_s=120)
        house.stack.kill(process)  # the worker outlives its child
        house.stack.start(process)
        enough = len(load.acknowledged) + 20
        wait_until(lambda: len(load.acknowledged) >= enough, timeout_s=60)
    house.projected()
    load.verify(house.query(RECORDED))
    if point in SETTLER_POINTS:
        house.settled()
    assert _replayed_hash(house) == house.status(with_state_hash=True).state_hash


def test_fills_settle_once_when_the_chain_loses_the_last_batches(house: House) -> None:
    with Load(house.traders) as load:
        wait_until(lambda: len(load.acknowledged) >= 40, timeout_s=60)
    house.settled()
    ((block,),) = house.query("SELECT max(block_before) FROM settlement_batch")
    batches = "SELECT count(*) FROM settlement_batch WHERE state = 'confirmed'"
    before = house.query(batches)
    depth = int(house.chain("eth_blockNumber"), 16) - block
    assert depth >= 2
    settled = house.reconcile()[1]["settled_sequence"]
    house.chain("anvil_reorg", depth, [])

    def made_good() -> bool:
        # Books agree at whatever the chain has settled: also when it has lost a batch unnoticed.
        status, report = house.reconcile()
        return status == 0 and report["settled_sequence"] >= settled

    wait_until(made_good, timeout_s=60)
    house.settled()
    assert house.query(batches) == before
    load.verify(house.query(RECORDED))


def test_every_fill_is_on_chain_once_after_all_deaths(house: House) -> None:
    for trader in house.traders:
        assert trader.cancel_all().status == 200
    house.settled()
    house.agrees()
    ranges = house.query(
        "SELECT from_sequence, to_sequence FROM settlement_batch WHERE state = 'confirmed'"
        " ORDER BY batch_id"
    )
    assert len(ranges) > 5
    assert [after[0] for after in ranges[1:]] == [before[1] + 1 for before in ranges[:-1]]

"""The benchmark of recovery at a small size: its steps work, and what it tells is told."""

from tests.benchmarks.recovery import Sizes, measured


def test_recovery_is_measured_from_snapshot_journal_and_a_steady_load() -> None:
    sizes = Sizes(orders=500, accounts=100, commands=1_200, seconds=0.2, rounds=1)
    figures = measured(sizes)
    assert 0 < figures["restart_load_s"] < figures["restart_s"]
    assert 0 < figures["restart_replay_s"] < figures["restart_s"]
    assert figures["snapshots_written"] >= 1
    assert 0 < figures["leader_p50_us"] <= figures["leader_p99_us"] <= figures["leader_p999_us"]
    assert figures["leader_p99_us_writing"] >= figures["leader_p50_us_writing"] > 0

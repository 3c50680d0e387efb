"""Prometheus metrics: the door's own, and the report of health as numbers, read at each scrape."""

import os
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from exchange.api import measures
from exchange.operations.health import report
from exchange.operations.shapes import (
    ChainHealth,
    ClearingHealth,
    EngineHealth,
    FollowerHealth,
    Report,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SHARED = "PROMETHEUS_MULTIPROC_DIR"

_HELP = {
    "nexus_healthy": "1 while /health answers 200",
    "nexus_part_up": "1 while the part answers",
    "nexus_process_up": "1 while the process answers or shows signs of life",
    "nexus_engine_sequence": "Sequence number of the last command",
    "nexus_engine_published_sequence": "Last sequence number in the stream",
    "nexus_engine_epoch": "Epoch of the leading engine",
    "nexus_engine_standby": "1 while a standby holds every batch before it is answered",
    "nexus_engine_open_orders": "Resting orders",
    "nexus_engine_accounts": "Accounts the engine knows",
    "nexus_journal_bytes": "Bytes of the journal in use",
    "nexus_fills": "Fills since the beginning",
    "nexus_follower_position": "Last sequence number the follower has passed",
    "nexus_follower_lag_commands": "Commands the follower has not passed yet",
    "nexus_follower_lag_seconds": "Age of the first command the follower has not passed",
    "nexus_chain_block": "Number of the chain's newest block as last seen",
    "nexus_chain_block_age_seconds": "Age of that block",
    "nexus_chain_answer_age_seconds": "Time since the node last answered the worker",
    "nexus_batches_open": "Batches on their way to the chain",
    "nexus_batches_settled": "Batches final on chain",
    "nexus_fills_settled": "Fills that are title",
    "nexus_gas_used": "Gas our lanes paid for settled batches",
    "nexus_settled_sequence": "Sequence number up to which every fill is title",
    "nexus_unsettled_oldest_seconds": "Age of the oldest fill that is not title yet, else 0",
    "nexus_chain_transactions_pending": "Transactions of our lanes that no block is known to hold",
    "nexus_reconciliation_age_seconds": "Time since the books were last compared",
    "nexus_reconciliation_mismatches": "Differences the last comparison found",
    "nexus_withdrawals_halted": "1 while withdrawals are halted",
    "nexus_sweep_age_seconds": "Time since the scheduled task last succeeded",
    "nexus_task_failures": "Tasks that raised",
    "nexus_dead_letters": "Relayed work that waits for a person",
    "nexus_awaited": "What waits for officers' decision or a bank's answer",
    "nexus_awaited_oldest_seconds": "For how long the oldest of them has waited, else 0",
}

Number = int | float | None


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    door = measures.REGISTRY
    if os.environ.get(_SHARED):
        door = CollectorRegistry()
        MultiProcessCollector(door)  # type: ignore[no-untyped-call]
    exchange = CollectorRegistry()
    exchange.register(_Exchange())
    return generate_latest(exchange) + generate_latest(door)


class _Exchange(Collector):
    """The report of health; what is unknown is left out rather than shown as zero."""

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering asks for no report."""
        return ()

    def collect(self) -> Iterator[Metric]:
        found = report()
        yield from _parts(found)
        yield from _engine(found.engine)
        yield from _followers(found.followers)
        yield from _chain(found.chain)
        yield from _clearing(found.clearing)
        yield _labelled("nexus_sweep_age_seconds", "task", found.sweeps_s_ago)
        failures = CounterMetricFamily(*_named("nexus_task_failures"), labels=["task"])
        for task, count in found.task_failures.items():
            failures.add_metric([task], count)
        yield failures
        if found.database == "ok":
            yield _labelled("nexus_dead_letters", "kind", found.dead_letters)
            counted = {kind: each.count for kind, each in found.awaited.items()}
            oldest = {kind: each.oldest_s or 0 for kind, each in found.awaited.items()}
            yield _labelled("nexus_awaited", "kind", counted)
            yield _labelled("nexus_awaited_oldest_seconds", "kind", oldest)


def _parts(found: Report) -> Iterator[Metric]:
    yield GaugeMetricFamily(*_named("nexus_healthy"), found.status == "ok")
    parts = {"database": found.database == "ok", "valkey": found.valkey == "ok"}
    yield _labelled("nexus_part_up", "part", parts)
    up = {name: state == "ok" for name, state in found.processes.items()}
    yield _labelled("nexus_process_up", "process", up)


def _engine(state: EngineHealth | None) -> Iterator[Metric]:
    if state is None:
        return
    yield from _gauges(
        {
            "nexus_engine_sequence": state.sequence,
            "nexus_engine_published_sequence": state.published_sequence,
            "nexus_engine_epoch": state.epoch,
            "nexus_engine_standby": state.standby,
            "nexus_engine_open_orders": state.open_orders,
            "nexus_engine_accounts": state.accounts,
            "nexus_journal_bytes": state.journal_bytes,
        }
    )
    yield CounterMetricFamily(*_named("nexus_fills"), state.fills)


def _followers(states: Mapping[str, FollowerHealth]) -> Iterator[Metric]:
    for field, name in (
        ("position", "nexus_follower_position"),
        ("lag", "nexus_follower_lag_commands"),
        ("lag_s", "nexus_follower_lag_seconds"),
    ):
        values = {each: getattr(state, field) for each, state in states.items()}
        yield _labelled(name, "follower", values)


def _chain(state: ChainHealth | None) -> Iterator[Metric]:
    if state is not None:
        yield from _gauges(
            {
                "nexus_chain_block": state.block,
                "nexus_chain_block_age_seconds": state.block_age_s,
                "nexus_chain_answer_age_seconds": state.answered_s_ago,
            }
        )


def _clearing(state: ClearingHealth | None) -> Iterator[Metric]:
    if state is None:
        return
    yield _labelled("nexus_batches_open", "state", state.batches_open)
    for name, total in (
        ("nexus_batches_settled", state.batches_settled),
        ("nexus_fills_settled", state.fills_settled),
        ("nexus_gas_used", state.gas_used),
    ):
        yield CounterMetricFamily(*_named(name), total)
    yield from _gauges(
        {
            "nexus_settled_sequence": state.settled_sequence,
            "nexus_unsettled_oldest_seconds": state.oldest_unsettled_s or 0,
            "nexus_chain_transactions_pending": state.transactions_pending,
            "nexus_reconciliation_age_seconds": state.reconciled_s_ago,
            "nexus_reconciliation_mismatches": state.mismatches,
            "nexus_withdrawals_halted": state.withdrawals_halted is not None,
        }
    )


def _gauges(values: Mapping[str, Number]) -> Iterator[Metric]:
    for name, value in values.items():
        if value is not None:
            yield GaugeMetricFamily(*_named(name), value)


def _labelled(name: str, label: str, values: Mapping[str, Number]) -> Metric:
    family = GaugeMetricFamily(*_named(name), labels=[label])
    for each, value in values.items():
        if value is not None:
            family.add_metric([each], value)
    return family


def _named(name: str) -> tuple[str, str]:
    return name, _HELP[name]

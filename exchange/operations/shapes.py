"""What /health answers: the whole state to operators, a summary to everybody else."""

from typing import Literal

import msgspec

State = Literal["ok", "unavailable"]


class Cause(msgspec.Struct, frozen=True):
    """A part that does not work as it should, and what was found."""

    part: str
    detail: str


class EngineHealth(msgspec.Struct, frozen=True):
    """The engine's last sequence number, the last one published, its counters and its journal."""

    sequence: int
    published_sequence: int
    epoch: int
    standby: bool
    open_orders: int
    accounts: int
    fills: int
    journal_bytes: int


class FollowerHealth(msgspec.Struct, frozen=True):
    """By how many commands a follower is behind, and since how many seconds; null when unknown."""

    position: int | None
    lag: int | None
    lag_s: float | None


class ChainHealth(msgspec.Struct, frozen=True):
    """The newest block as the worker last saw it, its age, and when the node last answered it."""

    block: int
    block_age_s: float
    answered_s_ago: float


class ClearingHealth(msgspec.Struct, frozen=True):
    """Batches on their way by state, and for how long the oldest fill has waited for title."""

    batches_open: dict[str, int]
    batches_settled: int
    fills_settled: int
    gas_used: int
    settled_sequence: int
    oldest_unsettled_s: float | None
    transactions_pending: int
    reconciled_s_ago: float | None
    mismatches: int | None
    withdrawals_halted: str | None


class AwaitedHealth(msgspec.Struct, frozen=True):
    """How many pieces wait for officers or a bank, and for how long the oldest has waited."""

    count: int
    oldest_s: float | None


class Report(msgspec.Struct, frozen=True):
    """`causes` say why the status is unavailable.

    `chain` and `clearing` are null before the deployment.
    """

    status: State
    causes: list[Cause]
    engine: EngineHealth | None
    database: State
    valkey: State
    processes: dict[str, State]
    followers: dict[str, FollowerHealth]
    sweeps_s_ago: dict[str, float]
    task_failures: dict[str, int]
    chain: ChainHealth | None
    clearing: ClearingHealth | None
    dead_letters: dict[str, int]
    awaited: dict[str, AwaitedHealth]


class Health(msgspec.Struct, frozen=True):
    """`status` is unavailable (503) when a part is; `causes` names such parts."""

    status: State
    causes: list[str]

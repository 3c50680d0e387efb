"""Whether the exchange works as it should: every process, every follower, clearing, sweeps.

Each source is asked once and may be gone; what must not live here: how the answer is shown.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import django.db
import redis
from django.conf import settings
from django.utils import timezone

from compliance.dead_letters import counts
from custody.selectors import awaited_totals, ledger_position, withdrawals_halted
from exchange.api.valkey import valkey
from exchange.marketdata import archive, store
from exchange.operations.dead_letters import QUEUES
from exchange.operations.shapes import (
    AwaitedHealth,
    Cause,
    ChainHealth,
    ClearingHealth,
    EngineHealth,
    FollowerHealth,
    Report,
    State,
)
from exchange.operations.sweeps import failures_read, sweeps_read
from exchange.settings.tasks import SWEEPS
from exchange.trading.selectors import oldest_fill_ns, projector_position
from matching.client import (
    EngineUnavailable,
    engine,
    engine_address,
    heartbeat_name,
    heartbeat_sequence,
    waiting_since_ns,
)
from matching.protocol.queries import GetStatus, Status
from settlement import selectors as clearing
from settlement.errors import NotDeployed

PROCESSES = (
    "engine",
    "snapshots",
    "projector",
    "marketdata",
    "ledger",
    "clearing",
    "venue-clearing",
    "venue-signer",
    "clearing-signer",
    "custody-signer",
    "compliance-signer",
    "worker",
    "venue-worker",
    "beat",
    "web",
)
# Each with the process in which it runs.
FOLLOWERS = {
    "projector": "projector",
    "snapshots": "snapshots",
    "ledger": "ledger",
    "clearing": "clearing",
    "marketdata": "marketdata",
    "candles": "marketdata",
}
# Told alive by what they answer, not by a sign of life; of the standby the leader answers.
ANSWERING = ("engine", "web")
SAID = {
    "engine": "engine does not answer on its socket",
    "standby": "no standby holds what is answered: should the leader die, the market stands still",
}


@dataclass
class Found:
    """What the sources said; None or empty where one was gone."""

    engine: Status | None = None
    database: bool = False
    valkey: bool = False
    positions: dict[str, int | None] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    waiting_s: dict[str, float | None] = field(default_factory=dict)
    sweeps: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    chain: ChainHealth | None = None
    clearing: ClearingHealth | None = None
    dead_letters: dict[str, int] = field(default_factory=dict)
    awaited: dict[str, AwaitedHealth] = field(default_factory=dict)


def report() -> Report:
    """Ask every part and judge what was found; never raises because one is gone."""
    found = Found(engine=_engine_ask())
    found.database = _database_ask(found) or _database_ask(found)
    try:
        _valkey_read(found)
        found.valkey = True
    except (redis.RedisError, OSError):
        found.positions.setdefault("marketdata", None)
    standby = ("standby",) if settings.HEALTH_STANDBY else ()
    expected = settings.HEALTH_PROCESSES or (*PROCESSES, *standby)
    processes = {name: _state(found, name) for name in expected}
    followers = {name: _follower(found, name) for name in FOLLOWERS}
    causes = [
        *_parts_judge(found, processes),
        *_followers_judge(
            {name: each for name, each in followers.items() if FOLLOWERS[name] in expected}
        ),
        *(_sweeps_judge(found.sweeps) if "worker" in expected else ()),
        *(_chain_judge(found.chain) if "worker" in expected else ()),
        *_clearing_judge(found.clearing),
    ]
    return Report(
        status="unavailable" if causes else "ok",
        causes=causes,
        engine=_engine_show(found.engine),
        database="ok" if found.database else "unavailable",
        valkey="ok" if found.valkey else "unavailable",
        processes=processes,
        followers=followers,
        sweeps_s_ago=found.sweeps,
        task_failures=found.failures,
        chain=found.chain,
        clearing=found.clearing,
        dead_letters=found.dead_letters,
        awaited=found.awaited,
    )


def _engine_ask() -> Status | None:
    try:
        status = engine().ask(GetStatus())
    except EngineUnavailable:
        return None
    assert isinstance(status, Status)
    return status


def _engine_show(status: Status | None) -> EngineHealth | None:
    if status is None:
        return None
    return EngineHealth(
        sequence=status.sequence,
        published_sequence=status.published_sequence,
        epoch=status.epoch,
        standby=status.standby,
        open_orders=status.orders,
        accounts=status.accounts,
        fills=status.fills,
        journal_bytes=status.journal_bytes,
    )


def _database_ask(found: Found) -> bool:
    """Read what the database knows; a connection that the server closed is given up first."""
    try:
        _database_read(found)
    except django.db.Error:
        django.db.connection.close()
        return False
    return True


def _database_read(found: Found) -> None:
    found.positions |= {
        "projector": projector_position(),
        "ledger": ledger_position(),
        "clearing": clearing.obligations_position(),
        "candles": archive.position_read(),
    }
    found.chain, found.clearing = _chain_read(), _clearing_read()
    found.dead_letters = counts(QUEUES)
    found.awaited = {
        kind: AwaitedHealth(total.count, None if total.since is None else _since_s(total.since))
        for kind, total in awaited_totals().items()
    }


def _chain_read() -> ChainHealth | None:
    sight = clearing.chain_sight()
    if sight is None:
        return None
    return ChainHealth(sight.block_number, _since_s(sight.block_at), _since_s(sight.seen_at))


def _clearing_read() -> ClearingHealth | None:
    try:
        clearing.deployment()
    except NotDeployed:
        return None
    settled, sequence = clearing.settled_totals(), clearing.settled_sequence()
    oldest_ns = oldest_fill_ns(after_sequence=sequence)
    compared, halt = clearing.reconciliation_last(), withdrawals_halted()
    return ClearingHealth(
        batches_open=clearing.batches_open(),
        batches_settled=settled.batches,
        fills_settled=settled.fills,
        gas_used=settled.gas_used,
        settled_sequence=sequence,
        oldest_unsettled_s=None if oldest_ns is None else _age_s(oldest_ns),
        transactions_pending=clearing.transactions_pending(),
        reconciled_s_ago=_since_s(compared.at) if compared else None,
        mismatches=compared.mismatches if compared else None,
        withdrawals_halted=halt.reason if halt else None,
    )


def _valkey_read(found: Found) -> None:
    found.positions["marketdata"] = store.position_read()
    instance = str(settings.INSTANCE_ID)
    signs: Any = valkey().mget([heartbeat_name(instance, name) for name in PROCESSES])
    alive = {name: sign for name, sign in zip(PROCESSES, signs, strict=True) if sign}
    found.alive = set(alive)
    if "snapshots" in alive:
        found.positions["snapshots"] = heartbeat_sequence(alive["snapshots"])
    found.sweeps, found.failures = sweeps_read(), failures_read()
    for name, position in found.positions.items():
        if found.engine and position is not None and position < found.engine.sequence:
            since_ns = waiting_since_ns(engine_address(), position)
            found.waiting_s[name] = None if since_ns is None else _age_s(since_ns)


def _since_s(time: datetime) -> float:
    return max(0.0, (timezone.now() - time).total_seconds())


def _age_s(time_ns: int) -> float:
    return max(0.0, (time.time_ns() - time_ns) / 1e9)


def _state(found: Found, name: str) -> State:
    if name == "engine":
        return "ok" if found.engine else "unavailable"
    if name == "standby":
        return "ok" if found.engine and found.engine.standby else "unavailable"
    return "ok" if name in ANSWERING or name in found.alive else "unavailable"


def _follower(found: Found, name: str) -> FollowerHealth:
    position = found.positions.get(name)
    if position is None or found.engine is None:
        return FollowerHealth(position, None, None)
    lag = max(0, found.engine.sequence - position)
    return FollowerHealth(position, lag, found.waiting_s.get(name) if lag else 0.0)


def _parts_judge(found: Found, processes: Mapping[str, State]) -> list[Cause]:
    causes = []
    if not found.database:
        causes.append(Cause("database", "PostgreSQL does not answer"))
    if not found.valkey:
        causes.append(Cause("valkey", "Valkey does not answer; signs of life cannot be read"))
    for name, state in processes.items():
        # Without Valkey nobody can leave a sign: it is named itself, and nobody else.
        if state == "unavailable" and (found.valkey or name in SAID):
            what = SAID.get(name, f"{name} shows no sign of life")
            causes.append(Cause(f"process:{name}", what))
    return causes


def _followers_judge(followers: Mapping[str, FollowerHealth]) -> list[Cause]:
    limit = settings.HEALTH_LAG_MAX_S
    return [
        Cause(f"follower:{name}", f"{each.lag} commands behind for {each.lag_s:.0f} s")
        for name, each in followers.items()
        if each.lag_s is not None and each.lag_s > limit
    ]


def _sweeps_judge(sweeps: Mapping[str, float]) -> list[Cause]:
    limits = {name: settings.HEALTH_SWEEP_MAX_S + every_s for name, every_s in SWEEPS.items()}
    return [
        Cause(f"sweep:{name}", f"{name} last succeeded {age:.0f} s ago")
        for name, age in sorted(sweeps.items())
        if name in limits and age > limits[name]
    ]


def _chain_judge(chain: ChainHealth | None) -> list[Cause]:
    if chain is None:
        return []
    if chain.answered_s_ago > settings.HEALTH_LAG_MAX_S:
        return [Cause("chain", f"the node last answered {chain.answered_s_ago:.0f} s ago")]
    if chain.block_age_s > settings.HEALTH_BLOCK_MAX_S:
        return [Cause("chain", f"the node's newest block is {chain.block_age_s:.0f} s old")]
    return []


def _clearing_judge(state: ClearingHealth | None) -> list[Cause]:
    if state is None:
        return []
    causes = []
    waited = state.oldest_unsettled_s
    if waited is not None and waited > settings.HEALTH_UNSETTLED_MAX_S:
        causes.append(Cause("clearing", f"a fill has waited {waited:.0f} s for title"))
    if state.mismatches:
        causes.append(Cause("reconciler", f"{state.mismatches} differences between the books"))
    if state.withdrawals_halted is not None:
        causes.append(Cause("withdrawals", f"halted: {state.withdrawals_halted}"))
    return causes

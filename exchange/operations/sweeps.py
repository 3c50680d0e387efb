"""What the worker leaves behind about its tasks: when each sweep last succeeded, what has failed.

A task that raises is logged by Celery and its work stays due; here it is counted as well.
"""

import time
from typing import Any

import redis
from celery import signals

from exchange.api.valkey import key, valkey
from exchange.settings.tasks import SWEEPS
from matching.client import beat

NOTE_EVERY_S = 1.0
_noted_at: dict[str, float] = {}


def observe() -> None:
    """Connect to Celery's signals; in processes that are no worker none of them is sent."""
    signals.heartbeat_sent.connect(_alive)
    signals.worker_ready.connect(_begun)
    signals.task_success.connect(_succeeded)
    signals.task_failure.connect(_failed)


def sweeps_read() -> dict[str, float]:
    """Return for each scheduled task the seconds since it last succeeded; never swept are left out.

    Raises `redis.RedisError`.
    """
    now = time.time()
    found: Any = valkey().hgetall(key("sweeps"))
    return {name.decode(): max(0.0, now - float(at)) for name, at in found.items()}


def failures_read() -> dict[str, int]:
    """Return how often each task has raised. Raises `redis.RedisError`."""
    found: Any = valkey().hgetall(key("task-failures"))
    return {name.decode(): int(count) for name, count in found.items()}


def _alive(**given: Any) -> None:
    beat()


def _begun(sender: Any = None, **given: Any) -> None:
    """Let the time of every sweep that this worker takes run from now: the next may never come."""
    amqp = sender.app.amqp
    mine = amqp.queues.consume_from
    taken = [name for name in SWEEPS if amqp.router.route({}, name)["queue"].name in mine]
    clocks: Any = dict.fromkeys(taken, str(time.time()))
    _attempt(lambda: valkey().hset(key("sweeps"), mapping=clocks))


def _succeeded(sender: Any = None, **given: Any) -> None:
    name = str(sender.name)
    if name not in SWEEPS or time.monotonic() < _noted_at.get(name, 0) + NOTE_EVERY_S:
        return
    _noted_at[name] = time.monotonic()
    _attempt(lambda: valkey().hset(key("sweeps"), name, str(time.time())))


def _failed(sender: Any = None, **given: Any) -> None:
    _attempt(lambda: valkey().hincrby(key("task-failures"), str(sender.name), 1))


def _attempt(write: Any) -> None:
    """A task must not fail because nothing could be noted about it."""
    try:
        write()
    except redis.RedisError:
        return

"""The venue's connections to Valkey, and the names of its keys there.

The engine's stream has names of its own (matching.client).
"""

from asyncio import AbstractEventLoop, get_running_loop
from functools import cache
from uuid import UUID
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 2

_of_loops: WeakKeyDictionary[AbstractEventLoop, "redis.asyncio.Redis"] = WeakKeyDictionary()


@cache
def valkey() -> "redis.Redis":
    """Return this process's client; it never retries, for a repeated `SET NX` answers otherwise."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def valkey_of_loop() -> "redis.asyncio.Redis":
    """Return the running event loop's client, as `valkey` for its tasks."""
    loop = get_running_loop()
    client = _of_loops.get(loop)
    if client is None:
        client = _of_loops[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=AsyncRetry(NoBackoff(), 0),
        )
    return client


def key(*parts: str) -> str:
    """Return the name of a key of this instance."""
    return ":".join((_prefix(settings.INSTANCE_ID), *parts))


@cache
def _prefix(instance: UUID) -> str:
    return f"nexus:{instance}"

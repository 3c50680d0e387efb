"""The venue's connection to Valkey, and the names of its keys there.

The engine's stream has names of its own (matching.client).
"""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 2


@cache
def valkey() -> "redis.Redis":
    """Return this process's client; it never retries, for a repeated `SET NX` answers otherwise."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def key(*parts: str) -> str:
    """Return the name of a key of this instance."""
    return ":".join(("nexus", str(settings.INSTANCE_ID), *parts))

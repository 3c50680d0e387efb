"""Signs of life: what a process leaves in Redis as its loop goes round, until it stands still.

The name comes from NEXUS_PROCESS; a process without one, such as a single command, leaves none.
What must not live here: who is expected to be alive, and what follows when somebody is not.
"""

import os
import socket
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from matching.client.connection import EngineUnavailable, engine
from matching.protocol.queries import GetStatus, Status
from matching.stream import StreamError

BEAT_S = 2.0
# A turn of a loop may last: a large transaction, a batch to be composed again from the journal.
ALIVE_S = 15
TIMEOUT_S = 1.0


def heartbeat_name(instance: str, process: str) -> str:
    """Return the key that stands while a process of this name is alive."""
    return f"nexus:{instance}:alive:{process}"


class Heartbeat:
    """The sign of one process; a Redis that is gone is passed over, since others name it."""

    def __init__(self, redis_url: str, instance: str, process: str) -> None:
        self._client: Any = redis.Redis.from_url(
            redis_url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._name = heartbeat_name(instance, process)
        self._due_at = 0.0

    def beat(self, sequence: int | None = None) -> None:
        """Leave the sign anew, every `BEAT_S` at the most, with the sequence passed if given."""
        if monotonic() < self._due_at:
            return
        position = "" if sequence is None else sequence
        with suppress(*StreamError):
            sign = f"{socket.gethostname()}:{os.getpid()}:{position}"
            self._client.set(self._name, sign, ex=ALIVE_S)
        self._due_at = monotonic() + BEAT_S

    def alive(self) -> bool:
        """Tell whether the sign stands. Raises one of `StreamError`."""
        return bool(self._client.exists(self._name))


@cache
def heartbeat() -> Heartbeat | None:
    """Return that of this process, by NEXUS_PROCESS, REDIS_URL and NEXUS_INSTANCE_ID."""
    names = ("REDIS_URL", "NEXUS_INSTANCE_ID", "NEXUS_PROCESS")
    redis_url, instance, process = (os.environ.get(name, "") for name in names)
    return Heartbeat(redis_url, instance, process) if redis_url and instance and process else None


def process_alive() -> bool:
    """Tell whether the process that NEXUS_PROCESS names is alive.

    For both engines the one that leads answers. Raises `LookupError` when none is named.
    """
    if os.environ.get("NEXUS_PROCESS") in ("engine", "standby"):
        try:
            return isinstance(engine().ask(GetStatus()), Status)
        except EngineUnavailable:
            return False
    mine = heartbeat()
    if mine is None:
        raise LookupError("NEXUS_PROCESS, REDIS_URL and NEXUS_INSTANCE_ID must be set")
    try:
        return mine.alive()
    except StreamError:
        return False


def beat(sequence: int | None = None) -> None:
    """Show that this process's loop goes round; to be called at every turn, never fails.

    Who keeps its position nowhere else shows the sequence it has passed.
    """
    mine = heartbeat()
    if mine is not None:
        mine.beat(sequence)


def heartbeat_sequence(sign: bytes) -> int | None:
    """Return the sequence that a sign shows, None when it shows none."""
    shown = sign.rpartition(b":")[2]
    return int(shown) if shown else None

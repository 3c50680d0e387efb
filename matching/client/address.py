"""Where one engine instance is found; read from the environment here and nowhere else."""

import os
from pathlib import Path
from uuid import UUID

import msgspec

from matching.stream import followers_name, stream_name


class EngineAddress(msgspec.Struct, frozen=True):
    """Socket, journal folder, Redis and instance UUID (canonical string) of one engine."""

    socket_path: Path
    journal_dir: Path
    redis_url: str
    instance: str

    @property
    def stream(self) -> str:
        """Name of the Redis Stream that carries the engine's batches."""
        return stream_name(self.instance)

    @property
    def followers(self) -> str:
        """Name of the Redis hash in which each follower leaves the sequence it has passed."""
        return followers_name(self.instance)


def engine_address() -> EngineAddress:
    """Read the address from NEXUS_ENGINE_SOCKET, NEXUS_JOURNAL, REDIS_URL and NEXUS_INSTANCE_ID.

    Raises `LookupError` naming a variable that is unset, `ValueError` when the instance is no UUID.
    """
    return EngineAddress(
        socket_path=Path(_required("NEXUS_ENGINE_SOCKET")),
        journal_dir=Path(_required("NEXUS_JOURNAL")),
        redis_url=_required("REDIS_URL"),
        instance=str(UUID(_required("NEXUS_INSTANCE_ID"))),
    )


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise LookupError(f"environment variable {name} is unset: it must address the engine")
    return value

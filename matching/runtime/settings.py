"""Settings of the engine process; read from the environment here and nowhere else."""

import os
from pathlib import Path
from uuid import UUID

import msgspec

from matching.journal.format import SEGMENT_BYTES


class Settings(msgspec.Struct, frozen=True):
    """Where an engine listens, writes and publishes."""

    socket_path: Path
    journal_dir: Path
    redis_url: str
    instance: str
    segment_bytes: int = SEGMENT_BYTES


def settings() -> Settings:
    """Read NEXUS_ENGINE_SOCKET, NEXUS_JOURNAL, REDIS_URL, NEXUS_INSTANCE_ID, NEXUS_SEGMENT_BYTES.

    Raises `LookupError` naming what is unset, `ValueError` when the instance is no UUID.
    """
    return Settings(
        socket_path=Path(_required("NEXUS_ENGINE_SOCKET")),
        journal_dir=Path(_required("NEXUS_JOURNAL")),
        redis_url=_required("REDIS_URL"),
        instance=str(UUID(_required("NEXUS_INSTANCE_ID"))),
        segment_bytes=int(os.environ.get("NEXUS_SEGMENT_BYTES", SEGMENT_BYTES)),
    )


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise LookupError(f"environment variable {name} is unset")
    return value

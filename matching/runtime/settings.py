"""Settings of the engine process; read from the environment here and nowhere else."""

import os
import re
from pathlib import Path
from uuid import UUID

import msgspec

from matching.journal.format import SEGMENT_BYTES

_NODE = re.compile(r"(?!leader$|snapshots$)[a-z0-9-]{0,32}")


class Settings(msgspec.Struct, frozen=True):
    """Where an engine listens, writes and publishes.

    `node` names it among the engines of its instance and is the folder of its journal below the
    common one, which is the nameless engine's own. A leader feeds a standby on `feed`, a standby
    finds the leader on `peer`: both a path, or host:port.
    """

    socket_path: Path
    journal_dir: Path
    redis_url: str
    instance: str
    segment_bytes: int = SEGMENT_BYTES
    node: str = ""
    feed: str = ""
    peer: str = ""
    lease_url: str = ""

    @property
    def own_journal(self) -> Path:
        """The folder that this engine alone writes."""
        return self.journal_dir / self.node


def settings() -> Settings:
    """Read NEXUS_ENGINE_SOCKET, NEXUS_JOURNAL, REDIS_URL, NEXUS_INSTANCE_ID, NEXUS_SEGMENT_BYTES.

    For an engine that has a standby, or is one, NEXUS_NODE, NEXUS_ENGINE_FEED, NEXUS_ENGINE_PEER
    (by default the feed) and NEXUS_LEASE_URL besides. Raises `LookupError` naming what is unset,
    `ValueError` when the instance is no UUID or the node no name.
    """
    node, feed = os.environ.get("NEXUS_NODE", ""), os.environ.get("NEXUS_ENGINE_FEED", "")
    if not _NODE.fullmatch(node):
        raise ValueError(f"NEXUS_NODE must be up to 32 of a-z, 0-9 and -, found {node!r}")
    return Settings(
        socket_path=Path(_required("NEXUS_ENGINE_SOCKET")),
        journal_dir=Path(_required("NEXUS_JOURNAL")),
        redis_url=_required("REDIS_URL"),
        instance=str(UUID(_required("NEXUS_INSTANCE_ID"))),
        segment_bytes=int(os.environ.get("NEXUS_SEGMENT_BYTES", SEGMENT_BYTES)),
        node=node,
        feed=feed,
        peer=os.environ.get("NEXUS_ENGINE_PEER", "") or feed,
        lease_url=os.environ.get("NEXUS_LEASE_URL", ""),
    )


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise LookupError(f"environment variable {name} is unset")
    return value

"""The lease: one engine leads at a time, each under a higher epoch, and none that lacks anything.

What lives here is who may lead, and where that is on record: a locked file on one host, a row of
PostgreSQL across hosts. What must not: how a standby comes to hold what it holds.
"""

import fcntl
import os
import socket
from pathlib import Path
from typing import Protocol

import msgspec

LEASE, STANDING, _EPOCH = "lease", "standing.json", "epoch"


class LeaseHeld(Exception):
    """Another engine leads."""


class NotInSync(Exception):
    """This engine's journal may lack acknowledged commands: it must not lead."""


class LeaseLost(Exception):
    """Another engine leads by now, or may: this one must not say anything any more."""


class LeaseUnreachable(Exception):
    """The record cannot be asked at the moment."""


class Standing(msgspec.Struct, frozen=True):
    """What is on record of the lease; `holders` have every acknowledged command.

    Without a record (None) nothing was acknowledged yet, so that whoever comes first may lead.
    """

    epoch: int = 0
    holders: tuple[str, ...] | None = None

    def taken_by(self, node: str) -> "Standing":
        """Return the standing under the next leader. Raises `NotInSync`."""
        if self.holders is not None and node not in self.holders:
            raise NotInSync(
                f"engine {node or 'without a name'} was not in step when epoch {self.epoch} ended: "
                f"start {' or '.join(repr(name) for name in self.holders)}, which holds all"
            )
        return Standing(self.epoch + 1, (node,))


class Lease(Protocol):
    """What an engine leads by, from `take` to `release` or the end of its process."""

    node: str
    epoch: int

    def take(self) -> None:
        """Begin to lead under the next epoch, alone. Raises `LeaseHeld`, `NotInSync`."""

    def standing(self) -> Standing:
        """Return what is on record. Raises `LeaseUnreachable`."""

    def record(self, holders: tuple[str, ...]) -> None:
        """Put on durable record who holds everything. Raises `LeaseLost`."""

    def valid(self) -> bool:
        """Tell whether nobody else can lead at this moment."""

    def release(self) -> None:
        """Let another lead."""


class FileLease:
    """An flock in a folder of one host; the kernel frees it when the process ends, however."""

    def __init__(self, folder: Path, node: str) -> None:
        self.node = node
        self.epoch = 0
        self._folder = folder
        self._fd = -1

    def take(self) -> None:
        """Lock the file and raise the epoch. Raises `LeaseHeld` naming the holder, `NotInSync`."""
        self._fd = lock(self._folder / LEASE, f"journal {self._folder}")
        try:
            standing = self.standing().taken_by(self.node)
        except NotInSync:
            self.release()
            raise
        self.epoch = standing.epoch
        self._write(standing)

    def standing(self) -> Standing:
        """Return what is on record; before there was a standby, only the epoch was."""
        path, epoch_path = self._folder / STANDING, self._folder / _EPOCH
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Standing)
        return Standing(int(epoch_path.read_text()), ("",)) if epoch_path.exists() else Standing()

    def record(self, holders: tuple[str, ...]) -> None:
        """Write the holders; the lock is this process's as long as it lives."""
        self._write(Standing(self.epoch, holders))

    def valid(self) -> bool:
        """A lock does not run out."""
        return True

    def release(self) -> None:
        """Unlock."""
        os.close(self._fd)

    def _write(self, standing: Standing) -> None:
        path = self._folder / STANDING
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(standing))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        sync_folder(self._folder)


def lock(path: Path, what: str) -> int:
    """Lock a file that names its holder; return it open. Raises `LeaseHeld` naming the holder."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(fd, 200, 0).decode(errors="replace")
        os.close(fd)
        raise LeaseHeld(
            f"{what} is held by {holder or 'an engine that is starting'}; stop it first"
        ) from error
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    return fd


def sync_folder(folder: Path) -> None:
    """Make what was named or renamed in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

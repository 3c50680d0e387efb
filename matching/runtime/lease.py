"""The lease on a journal: one engine writes it, and each start has a higher epoch."""

import fcntl
import os
import socket
from pathlib import Path


class LeaseHeld(Exception):
    """Another engine holds the journal."""


class Lease:
    """An flock in the journal folder; the kernel frees it when the process ends, however."""

    def __init__(self, journal_dir: Path) -> None:
        self._path = journal_dir / "lease"
        self._epoch_path = journal_dir / "epoch"
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 200, 0).decode(errors="replace")
            os.close(self._fd)
            raise LeaseHeld(
                f"journal {journal_dir} is held by {holder or 'an engine that is starting'}; "
                f"stop it first"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        self.epoch = self._raise_epoch()

    def _raise_epoch(self) -> int:
        epoch = int(self._epoch_path.read_text()) + 1 if self._epoch_path.exists() else 1
        temporary = self._epoch_path.with_suffix(".tmp")
        with temporary.open("w") as file:
            file.write(str(epoch))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._epoch_path)
        directory = os.open(self._epoch_path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return epoch

    def release(self) -> None:
        """Give the journal free."""
        os.close(self._fd)

"""A disk that loses power: what was not synced is lost, kept or torn.

It stands in for `os` in the journal's reader and writer; the files are real, so is their format.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

SECTOR = 512


class PowerCut(BaseException):
    """The machine is gone in the middle of what it did; no code of the engine may catch this."""


class Disk:
    """The functions of `os` that a journal calls; everything else is the real module's."""

    def __init__(self, random: Random, acting: Callable[[], str]) -> None:
        self._random = random
        self._acting = acting  # the folder of whose machine it is that calls
        self._paths: dict[int, str] = {}
        self._unsynced: dict[str, list[tuple[int, bytes, bytes]]] = {}
        self.cut_in: dict[str, int] = {}
        """For a folder, after how many more calls its machine loses power."""
        self.full: set[str] = set()
        """Folders that cannot be written."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path | str, flags: int, mode: int = 0o777) -> int:
        fd = os.open(path, flags, mode)
        self._paths[fd] = os.path.realpath(path)
        return fd

    def close(self, fd: int) -> None:
        self._paths.pop(fd, None)
        os.close(fd)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        path = self._paths[fd]
        folder = os.path.dirname(path)
        if folder in self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        before = os.pread(fd, len(data), offset)
        written = os.pwrite(fd, data, offset)
        self._unsynced.setdefault(path, []).append((offset, before, bytes(data[:written])))
        self._maybe_cut(folder)
        return written

    def fdatasync(self, fd: int) -> None:
        path = self._paths.get(fd, "")
        self._maybe_cut(os.path.dirname(path))
        self._unsynced.pop(path, None)

    fsync = fdatasync

    def lose_power(self, folder: Path) -> None:
        """Take back, or tear, what was written below a folder and not synced."""
        for path in [each for each in self._unsynced if os.path.dirname(each) == str(folder)]:
            writes = self._unsynced.pop(path)
            if not os.path.exists(path):
                continue
            with open(path, "r+b") as file:
                for offset, before, _ in reversed(writes):
                    file.seek(offset)
                    file.write(before)
                for offset, _, data in writes:
                    self._keep_some(file, offset, data)
        self.cut_in.pop(str(folder), None)

    def _keep_some(self, file: Any, offset: int, data: bytes) -> None:
        chance = self._random.random()
        for start in range(0, len(data), SECTOR):
            if chance < 0.3 or (chance < 0.8 and self._random.random() < 0.5):
                part = data[start : start + SECTOR]
                file.seek(offset + start)
                file.write(part[: self._random.randint(0, len(part))] if chance > 0.7 else part)

    def _maybe_cut(self, folder: str) -> None:
        if folder in self.cut_in and folder == self._acting():
            self.cut_in[folder] -= 1
            if self.cut_in[folder] <= 0:
                del self.cut_in[folder]
                raise PowerCut

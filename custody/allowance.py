"""What custody's signer let through by itself, by day and account, in files of its own.

The database is not believed: rows could be deleted, and the day would begin anew. Imported by the
signer alone.
"""

import fcntl
import os
from datetime import date, timedelta
from pathlib import Path

# For so long a use counts once, also when it is signed anew or paid days later.
DAYS_KEPT = 40


class Allowance:
    """Uses of automatic limits: a file a day, in it a line each of name, use and units."""

    def __init__(self, folder: Path) -> None:
        """Begin with the days that stand in a folder, which is made when missing."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._day: date | None = None
        self._earlier: set[tuple[str, str]] = set()

    def take(self, *, name: str, use: str, units: int, limit: int, day: date) -> bool:
        """Take units of a day's limit for a use, once; False when that would exceed it.

        What is taken is on disk before this returns. Names and uses have no spaces.
        """
        if day != self._day:
            self._turn(day)
        path = self._folder / day.isoformat()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:  # torn by a loss of power, before anything was signed on it
                os.truncate(descriptor, len(whole))
            taken = _parsed(whole)
            if (name, use) in taken or (name, use) in self._earlier:
                return True
            if sum(each for (known, _), each in taken.items() if known == name) + units > limit:
                return False
            file.write(f"{name} {use} {units}\n")
            file.flush()
            os.fsync(descriptor)
        return True

    def _turn(self, day: date) -> None:
        """Begin a day: remember the uses of those before it, and drop what is too old."""
        oldest = (day - timedelta(days=DAYS_KEPT)).isoformat()
        self._earlier, self._day = set(), day
        for path in self._folder.iterdir():
            if path.name < oldest:
                path.unlink()
            elif path.name != day.isoformat():
                self._earlier |= _parsed(path.read_text()).keys()


def _parsed(text: str) -> dict[tuple[str, str], int]:
    lines = (line.split(" ") for line in text.splitlines())
    return {(name, use): int(units) for name, use, units in lines}

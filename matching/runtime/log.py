"""Log lines of the engine's processes: one JSON object a line on standard error."""

import sys
from contextlib import suppress
from datetime import UTC, datetime

import msgspec


def log(event: str, **fields: object) -> None:
    """Write one line with time, event and fields."""
    line = {"time": datetime.now(UTC).isoformat(), "component": "matching", "event": event}
    # A full disk or a closed pipe behind the log must not stop the engine.
    with suppress(OSError):
        sys.stderr.write(msgspec.json.encode(line | fields).decode() + "\n")
        sys.stderr.flush()

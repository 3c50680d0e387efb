"""Times as the API shows them: ISO 8601, UTC, to the nanosecond."""

import time
from datetime import UTC, datetime

NS_PER_S = 1_000_000_000


def time_format(time_ns: int) -> str:
    """Return nanoseconds since 1970 as `2026-01-02T03:04:05.000000006Z`."""
    seconds, nanoseconds = divmod(time_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def now_ns() -> int:
    """Return this host's clock in nanoseconds since 1970."""
    return time.time_ns()

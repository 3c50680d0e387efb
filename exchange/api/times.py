"""Times as the API shows and takes them: ISO 8601; it shows UTC, to the nanosecond."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

NS_PER_S = 1_000_000_000
NS_MAX = (1 << 63) - 1
# What a client sends: with an offset or Z; finer than a microsecond is rounded.
Moment = Annotated[datetime, Meta(tz=True, examples=["2027-01-01T00:00:00Z"])]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_format(time_ns: int) -> str:
    """Return nanoseconds since 1970 as `2026-01-02T03:04:05.000000006Z`."""
    seconds, nanoseconds = divmod(time_ns, NS_PER_S)
    return f"{_second_format(seconds)}.{nanoseconds:09d}Z"


@lru_cache(1_024)
def _second_format(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def moment_ns(moment: datetime) -> int:
    """Return nanoseconds since 1970, within what a record can bear."""
    found = (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    return min(max(0, found), NS_MAX)


def moment_format(moment: datetime) -> str:
    """Return an instant as the database keeps it, in the form of `time_format`."""
    return time_format(moment_ns(moment))


def now_ns() -> int:
    """Return this host's clock in nanoseconds since 1970."""
    return time.time_ns()

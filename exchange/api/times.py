"""Times as the API shows and takes them: ISO 8601, UTC, to the nanosecond."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

from exchange.api.errors import DoorCode, Problem

NS_PER_S = 1_000_000_000
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$"
TimeString = Annotated[str, Meta(pattern=TIME_PATTERN, examples=["2027-01-01T00:00:00Z"])]
_time = re.compile(TIME_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_format(time_ns: int) -> str:
    """Return nanoseconds since 1970 as `2026-01-02T03:04:05.000000006Z`."""
    seconds, nanoseconds = divmod(time_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def time_parse(text: str) -> int:
    """Return nanoseconds since 1970 of a time in UTC. Raises `Problem` for what is none."""
    moment = moment_parse(text)
    fraction = text.removesuffix("Z").partition(".")[2].ljust(9, "0")
    return (moment.replace(microsecond=0) - _EPOCH) // timedelta(seconds=1) * NS_PER_S + int(
        fraction
    )


def moment_format(moment: datetime) -> str:
    """Return an instant as the database keeps it, in the form of `time_format`."""
    return time_format((moment - _EPOCH) // timedelta(microseconds=1) * 1_000)


def moment_parse(text: str) -> datetime:
    """Return the instant, to the microsecond. Raises `Problem` for what is no time since 1970."""
    try:
        if not _time.match(text):
            raise ValueError
        moment = datetime.strptime(text.partition(".")[0].removesuffix("Z"), "%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise Problem(
            DoorCode.FIELD_INVALID, f"{text[:40]!a} is no time such as 2026-01-02T03:04:05Z"
        ) from error
    if not 1970 <= moment.year <= 2200:
        raise Problem(DoorCode.FIELD_INVALID, f"{text} lies outside of all records")
    fraction = text.removesuffix("Z").partition(".")[2].ljust(6, "0")[:6]
    return moment.replace(microsecond=int(fraction), tzinfo=UTC)


def now_ns() -> int:
    """Return this host's clock in nanoseconds since 1970."""
    return time.time_ns()

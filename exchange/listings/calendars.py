"""Trading calendars: when an instrument's day begins and ends.

`24h` needs no table: its day is a day in Seoul. The sessions of every other calendar are computed
ahead of time by exchange_calendars, which costs seconds and much memory, and kept as rows; the
scheduler reads rows alone.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from matching.protocol.units import Phase

TRADE_ZONE = ZoneInfo("Asia/Seoul")


@dataclass(frozen=True, slots=True)
class Session:
    """One day of a calendar: trading begins at `opens_at` and ends at `closes_at`."""

    date: date
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Transition:
    """The phase that begins at a time."""

    at: datetime
    phase: Phase


def trade_date(at: datetime) -> date:
    """Return the trade date of a time: Seoul's, rolling at 00:00."""
    return at.astimezone(TRADE_ZONE).date()


def day_begin(at: datetime) -> Transition:
    """Return the latest transition of the 24-hour calendar: the beginning of the trade date."""
    midnight = datetime.combine(trade_date(at), time(), TRADE_ZONE)
    return Transition(midnight.astimezone(UTC), Phase.CONTINUOUS)


def session_transition(session: Session, at: datetime) -> Transition:
    """Return the latest transition of a session that has begun by `at`."""
    if at >= session.closes_at:
        return Transition(session.closes_at, Phase.CLOSED)
    return Transition(session.opens_at, Phase.CONTINUOUS)


def sessions_compute(calendar: str, first: date, last: date) -> list[Session]:
    """Return the sessions of a calendar by its ISO 10383 code, `first` to `last` inclusive.

    Takes seconds: the holidays of all years are worked out. Raises `InvalidCalendarName`.
    """
    import exchange_calendars  # pandas comes with it

    found = exchange_calendars.get_calendar(calendar, start=first, end=last).schedule
    return [
        Session(day.date(), row.open.to_pydatetime(), row.close.to_pydatetime())
        for day, row in found.iterrows()
    ]

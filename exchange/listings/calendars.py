"""Trading calendars: when an instrument's day begins and ends.

`24h` needs no table: its day is a day in Seoul. The sessions of every other calendar are computed
ahead of time by exchange_calendars, which costs seconds and much memory, and kept as rows; the
scheduler reads rows alone.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from matching.protocol.units import Phase

TRADE_ZONE = ZoneInfo("Asia/Seoul")
ROUND_THE_CLOCK = "24h"


@dataclass(frozen=True, slots=True)
class Session:
    """One day of a calendar: trading begins at `opens_at` and ends at `closes_at`.

    The opening auction comes before, the closing auction is the last part of it.
    """

    date: date
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Transition:
    """The phase that begins at a time, and in an auction when it ends by itself.

    `overdue` is what an auction's end should have brought about already: it was decided on for
    `decided_at`. The day to which the transition belongs lasts from `day_begins` to `day_ends`.
    """

    at: datetime
    phase: Phase
    day_begins: datetime
    day_ends: datetime
    ends_at: datetime | None = None
    overdue: bool = False

    @property
    def decided_at(self) -> datetime:
        """Return since when this has been the calendar's word."""
        return self.at - settings.MARKETS_OVERDUE if self.overdue else self.at


def continuous_phase(calendar: str) -> Phase:
    """Return the phase in which a market of this calendar matches at once."""
    return Phase.CONTINUOUS_24H if calendar == ROUND_THE_CLOCK else Phase.CONTINUOUS


def trade_date(at: datetime) -> date:
    """Return the trade date of a time: Seoul's, rolling at 00:00."""
    return at.astimezone(TRADE_ZONE).date()


def day_begin(at: datetime) -> Transition:
    """Return the latest transition of the 24-hour calendar: the beginning of the trade date."""
    midnight = datetime.combine(trade_date(at), time(), TRADE_ZONE)
    begins = midnight.astimezone(UTC)
    return Transition(begins, Phase.CONTINUOUS_24H, begins, begins + timedelta(days=1))


def session_transition(session: Session, at: datetime) -> Transition:
    """Return the latest transition of a session whose opening auction has begun by `at`.

    The engine ends the auctions by itself; the schedule only looks after it.
    """
    opens, closes = session.opens_at, session.closes_at
    begins, closing = opening_begin(opens), closes - settings.MARKETS_CLOSING_AUCTION
    overdue = settings.MARKETS_OVERDUE
    if at >= closes + overdue:
        return Transition(closes + overdue, Phase.CLOSED, begins, closes, overdue=True)
    if at >= closing:
        return Transition(closing, Phase.CLOSING_AUCTION, begins, closes, ends_at=closes)
    if at >= opens + overdue:
        return Transition(opens + overdue, Phase.CONTINUOUS, begins, closes, overdue=True)
    return Transition(begins, Phase.OPENING_AUCTION, begins, closes, ends_at=opens)


def opening_begin(opens_at: datetime) -> datetime:
    """Return when the auction begins that opens a session."""
    begin: datetime = opens_at - settings.MARKETS_OPENING_AUCTION
    return begin


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

"""Periods that a member asks for, in trade dates of Asia/Seoul, as instants."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from custody.trade_dates import TRADE_ZONE, trade_date
from exchange.api.errors import DoorCode, Problem
from exchange.api.times import moment_ns

DAYS_MAX = 366


@dataclass(frozen=True, slots=True)
class Period:
    """Trade dates from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def begin(self) -> datetime:
        """The instant at which the first date begins."""
        return datetime.combine(self.first, time.min, TRADE_ZONE)

    @property
    def end(self) -> datetime:
        """The instant at which the last date is over."""
        return datetime.combine(self.last + timedelta(days=1), time.min, TRADE_ZONE)

    @property
    def begin_ns(self) -> int:
        """The beginning in nanoseconds since 1970."""
        return moment_ns(self.begin)

    @property
    def end_ns(self) -> int:
        """The end in nanoseconds since 1970."""
        return moment_ns(self.end)


def period_of(month: str | None, first: str | None, last: str | None) -> Period:
    """Return the month `2026-11`, the dates from `first` to `last`, or this month up to today.

    Raises `Problem` for what is no date, backwards, longer than a year, or both ways at once.
    """
    today = trade_date()
    if month is not None:
        if first is not None or last is not None:
            raise _invalid("give a month or dates, not both")
        begin = _date(f"{month}-01")
        return Period(begin, _month_end(begin))
    end = _date(last) if last is not None else today
    begin = _date(first) if first is not None else end.replace(day=1)
    if not timedelta(0) <= end - begin < timedelta(days=DAYS_MAX):
        raise _invalid(f"a period has 1 to {DAYS_MAX} days, found {begin} to {end}")
    return Period(begin, end)


def _month_end(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise _invalid(f"{text[:20]!a} is no date") from error
    if not 1970 < found.year < 9999:
        raise _invalid(f"{text} lies outside of all records")
    return found


def _invalid(detail: str) -> Problem:
    return Problem(DoorCode.PARAMETER_INVALID, detail)

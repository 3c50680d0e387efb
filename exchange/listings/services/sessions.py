"""Keeping the sessions of trading calendars ahead of time."""

from datetime import date, timedelta

from django.utils import timezone

from exchange.listings.calendars import sessions_compute, trade_date
from exchange.listings.models import Calendar, Instrument, TradingSession

AHEAD_MIN = timedelta(days=60)
AHEAD = timedelta(days=400)
# Transitions missed by this much are still caught up.
BEHIND = timedelta(days=14)


def sessions_store(*, today: date | None = None) -> int:
    """Store the sessions of every calendar in use well ahead; return how many are new.

    Does nothing while enough are stored; sessions that stand are never changed.
    """
    today = today or trade_date(timezone.now())
    in_use = Instrument.objects.exclude(calendar=Calendar.ROUND_THE_CLOCK)
    stored = 0
    for calendar in sorted(set(in_use.values_list("calendar", flat=True))):
        rows = TradingSession.objects.filter(calendar=calendar).order_by("-date")
        known = rows.values_list("date", flat=True).first()
        if known is not None and known >= today + AHEAD_MIN:
            continue
        first = max(known + timedelta(days=1), today - BEHIND) if known else today - BEHIND
        found = sessions_compute(calendar, first, today + AHEAD)
        TradingSession.objects.bulk_create(
            [
                TradingSession(
                    calendar=calendar,
                    date=session.date,
                    opens_at=session.opens_at,
                    closes_at=session.closes_at,
                )
                for session in found
            ],
            ignore_conflicts=True,
        )
        stored += len(found)
    return stored

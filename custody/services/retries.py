"""When a step that failed is tried again. What must not live here: which step that is."""

from datetime import timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

DELAY_MAX_S = 60


def put_off(rows: QuerySet[Any], **noted: str) -> None:
    """Leave rows to the sweeper, later each time, and write `noted` into them.

    After the nth failure a row's `due_at` lies 2 ** n seconds ahead, at most a minute.
    """
    for key, attempts in list(rows.values_list("pk", "attempts")):
        delay = timedelta(seconds=min(2 ** (attempts + 1), DELAY_MAX_S))
        rows.filter(pk=key).update(
            attempts=F("attempts") + 1, due_at=timezone.now() + delay, **noted
        )

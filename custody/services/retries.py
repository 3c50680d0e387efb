"""When a step is tried, and tried again. What must not live here: which step that is."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from compliance import services as compliance

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


def carry_on(waiting: QuerySet[Any], step: Callable[..., object], key: str, limit: int) -> int:
    """Take the step for each row that is due, oldest first; return how many there were.

    The step is given the row's key under the name `key`; a row whose step failed is put off.
    """
    due = waiting.filter(due_at__lte=timezone.now()).order_by("due_at")
    found = list(due.values_list("pk", flat=True)[:limit])
    for each in found:
        if compliance.attempt(partial(step, **{key: each})):
            put_off(waiting.model._default_manager.filter(pk=each))
    return len(found)

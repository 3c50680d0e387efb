"""When a step is tried, and tried again. What must not live here: which step that is."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

logger = logging.getLogger(__name__)
DELAY_MAX_S = 60


def attempt(step: Callable[[], object]) -> str:
    """Run one due step; return what failed, or nothing."""
    try:
        step()
    except Exception as error:  # noqa: BLE001  (one broken row must not stop the others)
        logger.warning("%s: %s", step, error)
        return f"{type(error).__name__}: {error}"
    return ""


def put_off(rows: QuerySet[Any], **noted: str) -> None:
    """Leave rows to the sweeper, later each time, and write `noted` into them.

    After the nth failure a row's `due_at` lies 2 ** n seconds ahead, at most a minute.
    """
    for key, attempts in list(rows.values_list("pk", "attempts")):
        delay = timedelta(seconds=min(2 ** (attempts + 1), DELAY_MAX_S))
        rows.filter(pk=key).update(
            attempts=F("attempts") + 1, due_at=timezone.now() + delay, **noted
        )


def put_by(rows: QuerySet[Any], **noted: str) -> None:
    """Leave rows that wait for officers for a minute, write `noted` into them; no failure."""
    due_at = timezone.now() + timedelta(seconds=DELAY_MAX_S)
    rows.update(attempts=0, due_at=due_at, **noted)


def carry_on(
    waiting: QuerySet[Any], step: Callable[..., object], key: str, limit: int, *, error: str = ""
) -> int:
    """Take the step for each row that is due, oldest first; return how many there were.

    The step is given the row's key under the name `key`; a row whose step failed is put off, with
    the reason in its text column `error` where there is one.
    """
    due = waiting.filter(due_at__lte=timezone.now()).order_by("due_at")
    found = list(due.values_list("pk", flat=True)[:limit])
    for each in found:
        if failed := attempt(partial(step, **{key: each})):
            noted = {error: failed} if error else {}
            put_off(waiting.model._default_manager.filter(pk=each), **noted)
    return len(found)

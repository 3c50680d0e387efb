"""Wake a task by name once the work stands in the database; correctness never rests on it."""

import logging

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)


def wake(task_name: str, *args: int | str) -> None:
    """Send the task after the commit; a dead broker is logged and left to the sweeper."""
    transaction.on_commit(lambda: _send(task_name, args), robust=True)


def _send(task_name: str, args: tuple[int | str, ...]) -> None:
    try:
        current_app.send_task(task_name, args=args, ignore_result=True, retry=False)
    except Exception as error:  # noqa: BLE001  (kombu's and redis' many errors mean the same)
        logger.warning("task %s not woken (%s): the sweeper will find it", task_name, error)

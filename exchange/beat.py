"""Celery's clock: it knows when which task is due, by name, and nothing of Django or the tasks."""

from typing import Any

from celery import Celery, signals

from matching.client import beat

app = Celery("nexus", fixups=[])
app.config_from_object("exchange.settings.tasks", namespace="CELERY")


@signals.after_task_publish.connect
def _published(**given: Any) -> None:
    beat()

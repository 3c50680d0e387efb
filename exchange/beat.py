"""Celery's clock: it knows when which task is due, by name, and nothing of Django or the tasks."""

from celery import Celery

app = Celery("nexus", fixups=[])
app.config_from_object("exchange.settings.tasks", namespace="CELERY")

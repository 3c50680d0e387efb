"""The Celery application; work stands in PostgreSQL, the broker only wakes it."""

from celery import Celery

from exchange.operations import sweeps

app = Celery("nexus")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
sweeps.observe()

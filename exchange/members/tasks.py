"""Celery's names for members' services; each may run twice."""

from celery import shared_task

from exchange.members import services


@shared_task(name="venue.applications_admit")
def applications_admit() -> int:
    return services.applications_admit()

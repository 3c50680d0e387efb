"""Celery's names for the venue's services; each takes ids and may run twice."""

from uuid import UUID

from celery import shared_task

from exchange.listings import services


@shared_task(name="venue.act_execute")
def act_execute(act_id: str) -> None:
    services.act_execute(act_id=UUID(act_id))


@shared_task(name="venue.phases_schedule")
def phases_schedule() -> int:
    return services.phases_schedule() + services.sessions_begin()


@shared_task(name="venue.sessions_store")
def sessions_store() -> int:
    return services.sessions_store()


@shared_task(name="venue.sweep")
def sweep() -> int:
    return services.sweep()

"""Celery's names for compliance's services; each takes ids and may run twice."""

from uuid import UUID

from celery import shared_task

from compliance import services


@shared_task(name="compliance.act_execute")
def act_execute(act_id: str) -> None:
    services.act_execute(act_id=UUID(act_id))


@shared_task(name="compliance.eligibility_apply")
def eligibility_apply(party_id: int) -> None:
    services.eligibility_apply(party_id=party_id)


@shared_task(name="compliance.sweep")
def sweep() -> int:
    return services.sweep()

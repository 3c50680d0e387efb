"""Celery's names for custody's services; each takes ids and may run twice."""

from uuid import UUID

from celery import shared_task

from custody import services


@shared_task(name="custody.act_execute")
def act_execute(act_id: str) -> None:
    services.act_execute(act_id=UUID(act_id))


@shared_task(name="custody.account_prepare")
def account_prepare(number: int) -> None:
    services.account_prepare(number=number)


@shared_task(name="custody.issuance_credit")
def issuance_credit(issuance_id: int) -> None:
    services.issuance_credit(issuance_id=issuance_id)


@shared_task(name="custody.sweep")
def sweep() -> int:
    return services.sweep()

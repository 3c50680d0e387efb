"""Celery's names for the clearing house's work; each takes ids and may run twice."""

from uuid import UUID

from celery import shared_task

from settlement import intents, services, settle, sweeping


@shared_task(name="settlement.batch_advance")
def batch_advance(batch_id: int) -> None:
    settle.batch_advance(batch_id=batch_id)


@shared_task(name="settlement.intents_execute")
def intents_execute() -> int:
    return intents.intents_execute()


@shared_task(name="settlement.deposits_find")
def deposits_find() -> int:
    return sweeping.deposits_due()


@shared_task(name="settlement.act_execute")
def act_execute(act_id: str) -> None:
    services.act_execute(act_id=UUID(act_id))


@shared_task(name="settlement.sweep")
def sweep() -> None:
    sweeping.sweep()


@shared_task(name="settlement.chain_observe")
def chain_observe() -> None:
    sweeping.chain_observe_due()


@shared_task(name="settlement.reconcile")
def reconcile() -> None:
    sweeping.reconcile_due()

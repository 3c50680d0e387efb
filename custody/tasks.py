"""Celery's names for custody's services; each takes ids and may run twice."""

from uuid import UUID

from celery import shared_task

from custody import services
from custody.trade_dates import trade_date


@shared_task(name="custody.act_execute")
def act_execute(act_id: str) -> None:
    services.act_execute(act_id=UUID(act_id))


@shared_task(name="custody.account_prepare")
def account_prepare(number: int) -> None:
    services.account_prepare(number=number)


@shared_task(name="custody.cash_deposit_mint")
def cash_deposit_mint(notice_id: str) -> None:
    services.cash_deposit_mint(notice_id=notice_id)


@shared_task(name="custody.revenue_sweep")
def revenue_sweep() -> None:
    day = trade_date()
    services.revenue_sweep(day=day)
    services.vat_sweep(day=day)


@shared_task(name="custody.charge_credit")
def charge_credit(withdrawal_id: str) -> None:
    services.charge_credit(withdrawal_id=UUID(withdrawal_id))


@shared_task(name="custody.issuance_credit")
def issuance_credit(issuance_id: int) -> None:
    services.issuance_credit(issuance_id=issuance_id)


@shared_task(name="custody.token_deposit_credit")
def token_deposit_credit(deposit_id: int) -> None:
    services.token_deposit_credit(deposit_id=deposit_id)


@shared_task(name="custody.withdrawal_advance")
def withdrawal_advance(withdrawal_id: str) -> None:
    services.withdrawal_advance(withdrawal_id=UUID(withdrawal_id))


@shared_task(name="custody.sweep")
def sweep() -> int:
    return services.sweep()

"""Finds what is due at banks and was not woken."""

from functools import partial

from django.db.models import Q
from django.utils import timezone

from compliance import services as compliance
from custody.models import CashDeposit
from custody.services.banking import virtual_account_open, virtual_accounts_missing
from custody.services.deposits import cash_deposit_mint, cash_deposit_retry
from custody.services.payments import payments_missing, withdrawal_payment_request


def cash_sweep(limit: int) -> int:
    """Carry on accounts without a number, accepted deposits, unpaid burns; return how many."""
    numbers, burned = virtual_accounts_missing(limit), payments_missing(limit)
    due = Q(state=CashDeposit.State.ACCEPTED, issuance=None, due_at__lte=timezone.now())
    rows = CashDeposit.objects.filter(due).order_by("due_at")
    notices = list(rows.values_list("pk", flat=True)[:limit])
    for number in numbers:
        compliance.attempt(partial(virtual_account_open, number=number))
    for notice_id in notices:
        if compliance.attempt(partial(cash_deposit_mint, notice_id=notice_id)):
            cash_deposit_retry(notice_id)
    for withdrawal_id in burned:
        compliance.attempt(partial(withdrawal_payment_request, withdrawal_id=withdrawal_id))
    return len(numbers) + len(notices) + len(burned)

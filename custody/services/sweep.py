"""Finds what is due and was not woken."""

from functools import partial

from django.db.models import Q
from django.utils import timezone

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from custody import selectors
from custody.models import Issuance, TokenDeposit, Withdrawal, WithdrawalCharge
from custody.services.accounts import account_prepare, account_retry
from custody.services.acts import act_execute
from custody.services.cash_sweep import cash_sweep
from custody.services.charges import charge_credit, charge_retry
from custody.services.issuance import issuance_credit, issuance_retry
from custody.services.token_deposits import token_deposit_credit, token_deposit_retry
from custody.services.withdrawal_life import withdrawal_retry
from custody.services.withdrawing import withdrawal_advance

SWEEP_LIMIT = 100


def sweep() -> int:
    """Carry on every due act, account, mint and withdrawal; return how many were tried."""
    tried = 0
    for act in compliance_selectors.acts_due("custody", limit=SWEEP_LIMIT):
        tried += 1
        if error := compliance.attempt(partial(act_execute, act_id=act.id)):
            compliance.act_retry(act_id=act.id, error=error)
    for number in selectors.accounts_unready(SWEEP_LIMIT):
        tried += 1
        compliance.attempt(partial(account_prepare, number=number))
        account_retry(number)
    minted = Issuance.objects.filter(state=Issuance.State.MINTED, due_at__lte=timezone.now())
    for issuance_id in list(minted.order_by("due_at").values_list("id", flat=True)[:SWEEP_LIMIT]):
        tried += 1
        if compliance.attempt(partial(issuance_credit, issuance_id=issuance_id)):
            issuance_retry(issuance_id)
    return tried + _withdrawals_sweep() + _token_deposits_sweep()


def _token_deposits_sweep() -> int:
    confirmed = TokenDeposit.State.CONFIRMED
    due = TokenDeposit.objects.filter(state=confirmed, due_at__lte=timezone.now())
    numbers = list(due.order_by("due_at").values_list("id", flat=True)[:SWEEP_LIMIT])
    for number in numbers:
        if compliance.attempt(partial(token_deposit_credit, deposit_id=number)):
            token_deposit_retry(number)
    return len(numbers)


def _withdrawals_sweep() -> int:
    waiting = Q(state__in=["requested", "debiting", "returning"]) | Q(state="covered", intent=None)
    due = Withdrawal.objects.filter(waiting, due_at__lte=timezone.now()).order_by("due_at")
    numbers = list(due.values_list("id", flat=True)[:SWEEP_LIMIT])
    for number in numbers:
        if compliance.attempt(partial(withdrawal_advance, withdrawal_id=number)):
            withdrawal_retry(number)
    return len(numbers) + _charges_sweep() + cash_sweep(SWEEP_LIMIT)


def _charges_sweep() -> int:
    moved = WithdrawalCharge.State.MOVED
    due = WithdrawalCharge.objects.filter(state=moved, due_at__lte=timezone.now())
    numbers = list(due.order_by("due_at").values_list("pk", flat=True)[:SWEEP_LIMIT])
    for number in numbers:
        if compliance.attempt(partial(charge_credit, withdrawal_id=number)):
            charge_retry(number)
    return len(numbers)

"""Finds what is due and was not woken."""

from functools import partial

from django.db.models import Q

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from custody import selectors
from custody.models import Issuance, TokenDeposit, Withdrawal, WithdrawalCharge
from custody.services.accounts import account_prepare, account_retry
from custody.services.acts import act_execute
from custody.services.cash_sweep import cash_sweep
from custody.services.charges import charge_credit
from custody.services.issuance import issuance_credit
from custody.services.token_deposits import token_deposit_credit
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
    minted = Issuance.objects.filter(state=Issuance.State.MINTED)
    unfinished = Q(state="covered", intent=None)
    if not selectors.withdrawals_halted():  # to wait for the end of a halt is no failure
        unfinished |= Q(state__in=["requested", "debiting"])
    # Before a signature has run out nothing can be given back: clearing tells when it has.
    returning = Q(state="returning") & (Q(intent=None) | Q(intent__deadline=0))
    withdrawals = Withdrawal.objects.filter(unfinished | returning)
    moved = WithdrawalCharge.objects.filter(state=WithdrawalCharge.State.MOVED)
    confirmed = TokenDeposit.objects.filter(state=TokenDeposit.State.CONFIRMED)
    return (
        tried
        + compliance.carry_on(minted, issuance_credit, "issuance_id", SWEEP_LIMIT)
        + compliance.carry_on(withdrawals, withdrawal_advance, "withdrawal_id", SWEEP_LIMIT)
        + compliance.carry_on(moved, charge_credit, "withdrawal_id", SWEEP_LIMIT)
        + cash_sweep(SWEEP_LIMIT)
        + compliance.carry_on(confirmed, token_deposit_credit, "deposit_id", SWEEP_LIMIT)
    )

"""Finds what is due at banks and was not woken."""

from functools import partial

from compliance import services as compliance
from custody.models import CashDeposit
from custody.services.banking import virtual_account_open, virtual_accounts_missing
from custody.services.deposits import cash_deposit_mint
from custody.services.payments import payments_missing, withdrawal_payment_request


def cash_sweep(limit: int) -> int:
    """Carry on accounts without a number, accepted deposits, unpaid burns; return how many."""
    numbers, burned = virtual_accounts_missing(limit), payments_missing(limit)
    accepted = CashDeposit.objects.filter(state=CashDeposit.State.ACCEPTED, issuance=None)
    for number in numbers:
        compliance.attempt(partial(virtual_account_open, number=number))
    minted = compliance.carry_on(accepted, cash_deposit_mint, "notice_id", limit)
    for withdrawal_id in burned:
        compliance.attempt(partial(withdrawal_payment_request, withdrawal_id=withdrawal_id))
    return len(numbers) + minted + len(burned)

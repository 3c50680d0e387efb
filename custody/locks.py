"""Row locks of custody, taken inside the caller's transaction."""

from uuid import UUID

from custody.errors import NotFound
from custody.models import (
    Account,
    CashDeposit,
    Issuance,
    LedgerPosition,
    PaymentOrder,
    TokenDeposit,
    VaultBar,
    Withdrawal,
    WithdrawalCharge,
)


def account_lock(number: int) -> Account:
    """Return the account with its row locked. Raises `NotFound`."""
    account = Account.objects.select_for_update(no_key=True).filter(pk=number).first()
    if account is None:
        raise NotFound(f"no account {number}")
    return account


def issuance_lock(issuance_id: int) -> Issuance:
    """Return the issuance with its row locked. Raises `NotFound`."""
    issuance = Issuance.objects.select_for_update(no_key=True).filter(pk=issuance_id).first()
    if issuance is None:
        raise NotFound(f"no issuance {issuance_id}")
    return issuance


def issuance_of_intent_lock(intent_id: UUID) -> Issuance | None:
    """Return the issuance behind a mint's intent with its row locked, or None."""
    return Issuance.objects.select_for_update(no_key=True).filter(intent_id=intent_id).first()


def ledger_lock() -> LedgerPosition:
    """Return the ledger's position locked, so that one follower at a time posts."""
    return LedgerPosition.objects.select_for_update(no_key=True).get()


def withdrawal_lock(withdrawal_id: UUID) -> Withdrawal:
    """Return the withdrawal with its row locked. Raises `NotFound`."""
    rows = Withdrawal.objects.select_for_update(no_key=True)
    withdrawal = rows.filter(pk=withdrawal_id).first()
    if withdrawal is None:
        raise NotFound(f"no withdrawal {withdrawal_id}")
    return withdrawal


def token_deposit_lock(deposit_id: int) -> TokenDeposit:
    """Return the deposit with its row locked. Raises `NotFound`."""
    rows = TokenDeposit.objects.select_for_update(no_key=True)
    deposit = rows.filter(pk=deposit_id).first()
    if deposit is None:
        raise NotFound(f"no deposit {deposit_id}")
    return deposit


def cash_deposit_lock(notice_id: str) -> CashDeposit:
    """Return the deposit of a bank's notice with its row locked. Raises `NotFound`."""
    rows = CashDeposit.objects.select_for_update(no_key=True)
    deposit = rows.filter(pk=notice_id).first()
    if deposit is None:
        raise NotFound(f"no deposit under notice {notice_id}")
    return deposit


def payment_lock(order_id: UUID) -> PaymentOrder:
    """Return the payment order with its row locked. Raises `NotFound`."""
    rows = PaymentOrder.objects.select_for_update(no_key=True)
    order = rows.filter(pk=order_id).first()
    if order is None:
        raise NotFound(f"no payment order {order_id}")
    return order


def charge_lock(withdrawal_id: UUID) -> WithdrawalCharge:
    """Return the charge of a withdrawal with its row locked. Raises `NotFound`."""
    rows = WithdrawalCharge.objects.select_for_update(no_key=True)
    charge = rows.filter(pk=withdrawal_id).first()
    if charge is None:
        raise NotFound(f"withdrawal {withdrawal_id} is not charged")
    return charge


def bars_lock(numbers: list[int]) -> list[VaultBar]:
    """Return these bars with their rows locked, so that one withdrawal at a time takes them."""
    rows = VaultBar.objects.select_for_update(of=("self",), no_key=True)
    return list(rows.filter(pk__in=numbers).select_related("receipt").order_by("id"))

"""Row locks of custody, taken inside the caller's transaction."""

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

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

Row = TypeVar("Row", bound=Model)


def account_lock(number: int) -> Account:
    """Return the account with its row locked. Raises `NotFound`."""
    return _locked(Account.objects.all(), number, f"no account {number}")


def issuance_lock(issuance_id: int) -> Issuance:
    """Return the issuance with its row locked. Raises `NotFound`."""
    return _locked(Issuance.objects.all(), issuance_id, f"no issuance {issuance_id}")


def issuance_of_intent_lock(intent_id: UUID) -> Issuance | None:
    """Return the issuance behind a mint's intent with its row locked, or None."""
    return Issuance.objects.select_for_update(no_key=True).filter(intent_id=intent_id).first()


def ledger_lock() -> LedgerPosition:
    """Return the ledger's position locked, so that one follower at a time posts."""
    return LedgerPosition.objects.select_for_update(no_key=True).get()


def withdrawal_lock(withdrawal_id: UUID) -> Withdrawal:
    """Return the withdrawal with its row locked. Raises `NotFound`."""
    return _locked(Withdrawal.objects.all(), withdrawal_id, f"no withdrawal {withdrawal_id}")


def token_deposit_lock(deposit_id: int) -> TokenDeposit:
    """Return the deposit with its row locked. Raises `NotFound`."""
    return _locked(TokenDeposit.objects.all(), deposit_id, f"no deposit {deposit_id}")


def cash_deposit_lock(notice_id: str) -> CashDeposit:
    """Return the deposit of a bank's notice with its row locked. Raises `NotFound`."""
    return _locked(CashDeposit.objects.all(), notice_id, f"no deposit under notice {notice_id}")


def payment_lock(order_id: UUID) -> PaymentOrder:
    """Return the payment order with its row locked. Raises `NotFound`."""
    return _locked(PaymentOrder.objects.all(), order_id, f"no payment order {order_id}")


def charge_lock(withdrawal_id: UUID) -> WithdrawalCharge:
    """Return the charge of a withdrawal with its row locked. Raises `NotFound`."""
    return _locked(
        WithdrawalCharge.objects.all(), withdrawal_id, f"withdrawal {withdrawal_id} is not charged"
    )


def bars_lock(numbers: list[int]) -> list[VaultBar]:
    """Return these bars with their rows locked, so that one withdrawal at a time takes them."""
    rows = VaultBar.objects.select_for_update(of=("self",), no_key=True)
    return list(rows.filter(pk__in=numbers).select_related("receipt").order_by("id"))


def _locked(rows: QuerySet[Row], key: object, absent: str) -> Row:
    """Return the row of a key, locked. Raises `NotFound` with `absent`."""
    row = rows.select_for_update(no_key=True).filter(pk=key).first()
    if row is None:
        raise NotFound(absent)
    return row

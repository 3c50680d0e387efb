"""Questions about money at banks: where it comes in, where it goes, what is on its way."""

from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet, Sum

from custody.catalogue import CASH
from custody.errors import NotFound, NotYet
from custody.models import (
    OUTSIDE,
    Asset,
    BankAccount,
    BankNotice,
    CashDeposit,
    EvidenceKey,
    Issuance,
    PaymentOrder,
    Posting,
    VirtualAccount,
    Withdrawal,
)
from custody.selectors.charges import charges_owed


def deposit_bank() -> EvidenceKey | None:
    """Return the bank that holds the segregated account, or None before one is admitted."""
    rows = EvidenceKey.objects.filter(kind=EvidenceKey.Kind.BANK)
    if settings.CUSTODY_CASH_BANK:
        rows = rows.filter(name=settings.CUSTODY_CASH_BANK)
    return rows.order_by("name").first()


def cash_bank(account: int) -> str | None:
    """Return the name of the bank that takes in and pays out an account's money."""
    virtual = VirtualAccount.objects.filter(account_id=account).first()
    if virtual is not None:
        return virtual.bank_id
    bank = deposit_bank()
    return bank.name if bank else None


def virtual_account_get(account: int) -> VirtualAccount:
    """Return where money for an account is paid in. Raises `NotYet` before a bank gave it."""
    found = VirtualAccount.objects.filter(account_id=account).first()
    if found is None:
        raise NotYet(f"account {account} has no virtual account yet")
    return found


def bank_accounts_of(account: int) -> list[BankAccount]:
    """Return the bank accounts to which an account's money may go, oldest first."""
    return list(BankAccount.objects.filter(account_id=account).order_by("id"))


def cash_deposit_get(notice_id: str) -> CashDeposit:
    """Return the deposit of a bank's notice. Raises `NotFound`."""
    found = CashDeposit.objects.select_related("asset").filter(pk=notice_id).first()
    if found is None:
        raise NotFound(f"no deposit under notice {notice_id}")
    return found


def cash_deposits_of(account: int) -> QuerySet[CashDeposit]:
    """Return what was paid in for an account, newest first; the caller cuts the page."""
    rows = CashDeposit.objects.filter(account_id=account)
    return rows.select_related("asset", "issuance").order_by("-received_at", "-pk")


def cash_deposits_held() -> QuerySet[CashDeposit]:
    """Return deposits that wait for officers to accept or return them, oldest first."""
    rows = CashDeposit.objects.filter(state=CashDeposit.State.REVIEW)
    return rows.order_by("received_at", "pk")


def issuances_of(account: int) -> QuerySet[Issuance]:
    """Return mints for an account against evidence that names it, newest first."""
    rows = Issuance.objects.filter(account_id=account, deposit=None, rejection=None)
    return rows.select_related("asset").order_by("-created_at", "-pk")


def payment_document(order: PaymentOrder) -> dict[str, Any]:
    """Return the order as custody signs it and sends it to the bank."""
    return {
        "order_id": str(order.pk),
        "bank": order.bank_id,
        "account": order.withdrawal.account_id if order.withdrawal else OUTSIDE,
        "to_bank": order.to_bank,
        "to_number": order.to_number,
        "to_name": order.to_name,
        "currency": order.currency,
        "amount": order.amount,
        "signature": bytes(order.signature or b"\0" * 64).hex(),
    }


def cash_unpaid(currency: str) -> int:
    """Return whole units that banks hold and that are in no account of the ledger.

    Debited and not paid out yet, charged and not revenue yet, rejected and not minted again yet,
    paid in and not credited yet.
    """
    asset = Asset.objects.filter(code=currency, kind=Asset.Kind.CASH).first()
    if asset is None:
        return 0
    leaving = Withdrawal.objects.filter(asset=asset, state__in=_DEBITED_UNPAID)
    rejected = Issuance.objects.filter(asset=asset, rejection__isnull=False).exclude(_CREDITED)
    notices = BankNotice.objects.filter(asset=asset).exclude(_credited("issuance"))
    waiting = CashDeposit.objects.filter(currency=currency).exclude(_credited("issuance"))
    units = sum(_sum(rows, "amount_units") for rows in (leaving, rejected, notices))
    units += charges_owed() if asset.code == CASH.code else 0
    untold = _sum(waiting.exclude(state=CashDeposit.State.RETURNED), "amount")
    return _whole(units, asset) + untold


def cash_owed(currency: str) -> int:
    """Return whole units that the segregated account must hold at least, rounded up.

    All that the ledger keeps in accounts of the house, and what `cash_unpaid` counts; what the
    ledger has not followed yet counts twice, never less. The rule: segregated cash >= the sum owed.
    """
    asset = Asset.objects.get(code=currency, kind=Asset.Kind.CASH)
    house = -_sum(Posting.objects.filter(account_id=OUTSIDE, asset=asset), "amount_units")
    return _whole(house, asset) + cash_unpaid(currency)


_DEBITED_UNPAID = (
    Withdrawal.State.HELD,
    Withdrawal.State.COVERED,
    Withdrawal.State.SIGNED,
    Withdrawal.State.EXECUTED,
    Withdrawal.State.RETURNING,
)
_CREDITED = Q(state=Issuance.State.CREDITED)


def _whole(units: int, asset: Asset) -> int:
    """Return whole units of the currency, rounded up: the house owes the fraction too."""
    return -(-units // int(10**asset.decimals))


def _credited(relation: str) -> Q:
    return Q(**{f"{relation}__state": Issuance.State.CREDITED})


def _sum(rows: QuerySet[Any], column: str) -> int:
    return int(rows.aggregate(total=Sum(column))["total"] or 0)

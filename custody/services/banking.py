"""Where a member's money comes in, and the bank accounts to which it may go."""

import re
from typing import Any

from django.conf import settings
from django.db import transaction

from compliance import services as compliance
from custody import locks, selectors
from custody.banking import name_key, virtual_account_number
from custody.cash_documents import BankBalance as BankBalanceDocument
from custody.cash_documents import document_verify
from custody.errors import Conflict, Invalid, NameDiffers, NotFound
from custody.evidence import instant_parse
from custody.models import Account, Asset, BankAccount, BankBalance, VirtualAccount
from custody.services.deposits import name_matches

BODY = "custody"
BANK_ACCOUNTS_MAX = 20

_BANK = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NUMBER = re.compile(r"[0-9-]{4,32}")


@transaction.atomic
def virtual_account_open(*, number: int) -> VirtualAccount | None:
    """Give an account its number at the bank, once; None while no bank is admitted."""
    known = VirtualAccount.objects.filter(account_id=number).first()
    if known is not None:
        return known
    account, bank = locks.account_lock(number), selectors.deposit_bank()
    if bank is None or account.kind != Account.Kind.MEMBER:
        return None
    opened, _ = VirtualAccount.objects.get_or_create(
        account=account, defaults={"bank": bank, "number": virtual_account_number(number)}
    )
    return opened


def virtual_accounts_missing(limit: int) -> list[int]:
    """Return member accounts without a number, oldest first; none while no bank is admitted."""
    if selectors.deposit_bank() is None:
        return []
    rows = Account.objects.filter(kind=Account.Kind.MEMBER, virtual_account=None)
    return list(rows.order_by("id").values_list("id", flat=True)[:limit])


@transaction.atomic
def bank_account_register(
    *, account: int, bank: str, number: str, holder_name: str, actor: str
) -> BankAccount:
    """Note a bank account to which an account's money may go; the same again returns the first.

    It must be in the member's own name; the venue's own, for its revenue, is registered by an
    operator. Raises `NotFound`, `Invalid`, `NameDiffers` (known in another name too), `Conflict`
    (too many).
    """
    if not (_BANK.fullmatch(bank) and _NUMBER.fullmatch(number)):
        raise Invalid(f"a bank account is {_BANK.pattern} and {_NUMBER.pattern}")
    if not 1 <= len(holder_name) <= 200 or not holder_name.isprintable():
        raise Invalid("a holder's name has 1 to 200 printable characters")
    owner = locks.account_lock(account)
    if owner.kind == Account.Kind.MEMBER and not name_matches(owner, holder_name):
        raise NameDiffers(f"{holder_name!a} is not the name that this account was opened under")
    known = BankAccount.objects.filter(account=owner, bank=bank, number=number).first()
    if known is not None:
        if name_key(known.holder_name) != name_key(holder_name):
            raise NameDiffers(f"{bank}:{number} is registered in another name than {holder_name!a}")
        return known
    if owner.kind not in (Account.Kind.MEMBER, Account.Kind.REVENUE):
        raise Invalid(f"account {account} is of kind {owner.kind}, nothing is paid out from it")
    if BankAccount.objects.filter(account=owner).count() >= BANK_ACCOUNTS_MAX:
        raise Conflict(f"an account has at most {BANK_ACCOUNTS_MAX} bank accounts")
    made = BankAccount.objects.create(
        account=owner, bank=bank, number=number, holder_name=holder_name
    )
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action="bank_account.registered",
        subject=f"account:{account}",
        detail={"bank": bank, "number": number},
    )
    return made


@transaction.atomic
def bank_balance_receive(*, document: dict[str, Any]) -> BankBalance:
    """Keep a bank's signed balance, against which the books are held; the same again returns it.

    Raises `EvidenceInvalid`, `NotFound` for a currency that is no money of this house.
    """
    keys = selectors.evidence_keys()
    stated = document_verify(BankBalanceDocument, keys, settings.INSTANCE_ID, document)
    asset = Asset.objects.filter(code=stated.currency, kind=Asset.Kind.CASH).first()
    if asset is None:
        raise NotFound(f"{stated.currency} is no money of this house")
    balance, _ = BankBalance.objects.get_or_create(
        bank_id=stated.bank,
        asset=asset,
        booked_at=instant_parse(stated.booked_at),
        amount=stated.amount,
        defaults={"document": document},
    )
    return balance

"""What came in for an account, whichever way: money, bars, shares, and tokens from outside."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from custody.models import Asset, CashDeposit, Issuance, TokenDeposit
from custody.selectors.cash import cash_deposits_of, issuances_of
from custody.selectors.withdrawals import token_deposits_of

_WAYS = {Asset.Kind.CASH: "cash", Asset.Kind.METAL: "bar", Asset.Kind.SECURITY: "security"}


@dataclass(frozen=True, slots=True)
class DepositRecord:
    """One deposit; `id` is its evidence's, `state` review, pending, credited or on its way back.

    `amount` is in 10 ** -`decimals` of the asset or currency called `code`.
    """

    kind: str
    id: str
    code: str
    amount: int
    decimals: int
    state: str
    reason: str
    received_at: datetime


def deposits_page(
    account: int, *, before: datetime | None = None, limit: int
) -> list[DepositRecord]:
    """Return an account's deposits, newest first, received before an instant."""
    found = [*_cash(account, before, limit), *_minted(account, before, limit)]
    found += _tokens(account, before, limit)
    found.sort(key=lambda one: one.received_at, reverse=True)
    return list(islice(found, limit))


def _cash(account: int, before: datetime | None, limit: int) -> Iterator[DepositRecord]:
    rows = cash_deposits_of(account)
    for row in (rows.filter(received_at__lt=before) if before else rows)[:limit]:
        decimals = row.asset.decimals if row.asset else 0
        yield DepositRecord(
            kind="cash",
            id=row.pk,
            code=row.currency,
            amount=row.amount * 10**decimals,
            decimals=decimals,
            state=_cash_state(row),
            reason=row.reason.partition(":")[0],
            received_at=row.received_at,
        )


def _cash_state(row: CashDeposit) -> str:
    if row.state != CashDeposit.State.ACCEPTED:
        return str(row.state)
    issuance = getattr(row, "issuance", None)
    return _credited(issuance is not None and issuance.state == Issuance.State.CREDITED)


def _minted(account: int, before: datetime | None, limit: int) -> Iterator[DepositRecord]:
    rows = issuances_of(account)
    for row in (rows.filter(created_at__lt=before) if before else rows)[:limit]:
        yield DepositRecord(
            kind=_WAYS[Asset.Kind(row.asset.kind)],
            id=row.notice_id or row.receipt_id or row.registration_id or "",
            code=row.asset.code,
            amount=row.amount_units,
            decimals=row.asset.decimals,
            state=_credited(row.state == Issuance.State.CREDITED),
            reason="",
            received_at=row.created_at,
        )


def _tokens(account: int, before: datetime | None, limit: int) -> Iterator[DepositRecord]:
    rows = token_deposits_of(account)
    for row in (rows.filter(created_at__lt=before) if before else rows)[:limit]:
        yield DepositRecord(
            kind="token",
            id=f"{row.transaction_hash}:{row.log_index}",
            code=row.asset.code,
            amount=row.amount_units,
            decimals=row.asset.decimals,
            state=_credited(row.state == TokenDeposit.State.CREDITED),
            reason="",
            received_at=row.created_at,
        )


def _credited(done: bool) -> str:
    return "credited" if done else "pending"

"""What came in for an account, whichever way: money, bars, shares, and tokens from outside."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from custody.models import Asset, CashDeposit, Issuance, TokenDeposit
from custody.selectors.cash import cash_deposits_of, issuances_of
from custody.selectors.withdrawals import token_deposits_of

# The sources, in their order within an instant.
CASH, MINTED, TOKEN = range(3)
_WAYS = {Asset.Kind.CASH: "cash", Asset.Kind.METAL: "bar", Asset.Kind.SECURITY: "security"}


class DepositPlace(NamedTuple):
    """Where a deposit stands among an account's: newest first, then by source, then by key."""

    received_at: datetime
    source: int
    key: str


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
    place: DepositPlace


def deposits_page(
    account: int, *, after: DepositPlace | None = None, limit: int
) -> list[DepositRecord]:
    """Return an account's deposits in the order of their places, from behind one on."""
    found = [*_cash(account, after, limit), *_minted(account, after, limit)]
    found += _tokens(account, after, limit)
    # Sorting keeps the order of equals: of sources, and within one by key.
    found.sort(key=lambda one: one.place.received_at, reverse=True)
    return found[:limit]


def _behind(
    rows: QuerySet[Any], source: int, time: str, after: DepositPlace | None
) -> QuerySet[Any]:
    """Return the rows of a source that stand behind a place; `time` names their column."""
    if after is None:
        return rows
    behind = Q(**{f"{time}__lt": after.received_at})
    if source > after.source:
        behind |= Q(**{time: after.received_at})
    elif source == after.source:
        behind |= Q(**{time: after.received_at, "pk__lt": after.key})
    return rows.filter(behind)


def _cash(account: int, after: DepositPlace | None, limit: int) -> Iterator[DepositRecord]:
    for row in _behind(cash_deposits_of(account), CASH, "received_at", after)[:limit]:
        decimals = row.asset.decimals if row.asset else 0
        yield DepositRecord(
            kind="cash",
            id=row.pk,
            code=row.currency,
            amount=row.amount * 10**decimals,
            decimals=decimals,
            state=_cash_state(row),
            reason=row.reason.partition(":")[0],
            place=DepositPlace(row.received_at, CASH, row.pk),
        )


def _cash_state(row: CashDeposit) -> str:
    if row.state != CashDeposit.State.ACCEPTED:
        return str(row.state)
    issuance = getattr(row, "issuance", None)
    return _credited(issuance is not None and issuance.state == Issuance.State.CREDITED)


def _minted(account: int, after: DepositPlace | None, limit: int) -> Iterator[DepositRecord]:
    for row in _behind(issuances_of(account), MINTED, "created_at", after)[:limit]:
        yield DepositRecord(
            kind=_WAYS[Asset.Kind(row.asset.kind)],
            id=row.notice_id or row.receipt_id or row.registration_id or "",
            code=row.asset.code,
            amount=row.amount_units,
            decimals=row.asset.decimals,
            state=_credited(row.state == Issuance.State.CREDITED),
            reason="",
            place=DepositPlace(row.created_at, MINTED, str(row.pk)),
        )


def _tokens(account: int, after: DepositPlace | None, limit: int) -> Iterator[DepositRecord]:
    for row in _behind(token_deposits_of(account), TOKEN, "created_at", after)[:limit]:
        yield DepositRecord(
            kind="token",
            id=f"{row.transaction_hash}:{row.log_index}",
            code=row.asset.code,
            amount=row.amount_units,
            decimals=row.asset.decimals,
            state=_credited(row.state == TokenDeposit.State.CREDITED),
            reason="",
            place=DepositPlace(row.created_at, TOKEN, str(row.pk)),
        )


def _credited(done: bool) -> str:
    return "credited" if done else "pending"

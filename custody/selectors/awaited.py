"""What waits for people, and no process can carry on: officers' decisions, a bank's answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, QuerySet

from compliance.intents import IntentState
from custody.models import CashDeposit, PaymentOrder, Withdrawal, WithdrawalHalt
from custody.selectors.cash import cash_deposits_held
from custody.selectors.withdrawals import withdrawals_halted

LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class Awaited:
    """One piece of work that waits, as people see it."""

    kind: str
    id: str
    since: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class AwaitedTotal:
    """How many pieces of a kind wait, and the oldest since when."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class _Kind:
    rows: Callable[[], QuerySet[Any]]
    since: str
    detail: Callable[[Any], str]


def awaited_totals() -> dict[str, AwaitedTotal]:
    """Return what waits by kind, also kinds of which nothing does."""
    totals = {}
    for name, kind in _KINDS.items():
        found = kind.rows().order_by().aggregate(count=Count("pk"), since=Min(kind.since))
        totals[name] = AwaitedTotal(**found)
    return totals


def awaited_list() -> Iterator[Awaited]:
    """Yield what waits, of each kind the oldest `LISTED_MAX`."""
    for name, kind in _KINDS.items():
        for row in kind.rows().order_by(kind.since)[:LISTED_MAX]:
            yield Awaited(name, str(row.pk), getattr(row, kind.since), kind.detail(row))


def _money(row: CashDeposit | PaymentOrder) -> str:
    return f"{row.amount} {row.currency} at {row.bank_id}"


def _withdrawals_above_limit() -> QuerySet[Withdrawal]:
    """Return what waits for its own approval: none in a halt, for whose end everything waits."""
    rows = Withdrawal.objects.filter(intent__state=IntentState.AWAITING).select_related("asset")
    return rows.none() if withdrawals_halted() else rows


_KINDS = {
    "deposit_review": _Kind(
        cash_deposits_held,
        "received_at",
        lambda row: f"{_money(row)}: {row.reason}",
    ),
    "deposit_limit": _Kind(
        lambda: CashDeposit.objects.filter(issuance__intent__state=IntentState.AWAITING),
        "received_at",
        lambda row: f"{_money(row)} for account {row.account_id}",
    ),
    "withdrawal_limit": _Kind(
        _withdrawals_above_limit,
        "created_at",
        lambda row: f"{row.amount_units} units of {row.asset} from account {row.account_id}",
    ),
    "withdrawal_halt": _Kind(
        lambda: WithdrawalHalt.objects.filter(lifted_at=None),
        "halted_at",
        lambda row: str(row.reason),
    ),
    "payment_answer": _Kind(
        lambda: PaymentOrder.objects.filter(state=PaymentOrder.State.SENT),
        "sent_at",
        lambda row: _money(row),
    ),
}

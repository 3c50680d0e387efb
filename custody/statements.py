"""What a member reads of the ledger: history with balances, and statements of a period.

Everything is summed from postings at one position of the ledger, so that opening balance, movements
and closing balance fit together. What must not live here: anything that the ledger does not say.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, Sum

from custody import selectors
from custody.errors import Invalid
from custody.models import Entry, Posting

MOVEMENTS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Movement:
    """One posting of an account; `balance_units` is what the asset stands at after it.

    `kind` is trade, deposit, withdrawal, its fee, its vat, return (of a withdrawal that did not go
    out, or that the bank rejected), transfer, conversion, split, or allocation.
    """

    id: int
    sequence: int
    time: datetime
    kind: str
    reference: str
    asset: int
    amount_units: int
    balance_units: int


@dataclass(frozen=True, slots=True)
class AssetStatement:
    """One asset in a period: opening plus all movements is closing."""

    asset: int
    opening_units: int
    closing_units: int
    movements: tuple[Movement, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """All assets that an account had or moved in a period, as the ledger stood at `sequence`."""

    sequence: int
    assets: tuple[AssetStatement, ...]


def history_page(
    account: int, *, asset: int | None = None, before: int | None = None, limit: int
) -> list[Movement]:
    """Return an account's postings, newest first, with ids below `before`."""
    rows = Posting.objects.filter(account_id=account)
    if asset is not None:
        rows = rows.filter(asset_id=asset)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(_columns(rows.order_by("-id"))[:limit])
    if not page:
        return []
    balances = _balances(rows.filter(pk__lte=page[0][0]))
    movements = []
    for row in page:
        asset_id, units = row[5], row[6]
        movements.append(_movement(row, balances[asset_id]))
        balances[asset_id] -= units
    return movements


def statement(account: int, *, begin: datetime, end: datetime) -> Statement:
    """Return what moved from `begin` up to, not including, `end`, by asset and oldest first.

    Raises `Invalid` for more than `MOVEMENTS_MAX` movements.
    """
    position = selectors.ledger_position()
    rows = Posting.objects.filter(account_id=account, entry__sequence__lte=position)
    opening = _balances(rows.filter(entry__time__lt=begin))
    within = _columns(rows.filter(entry__time__gte=begin, entry__time__lt=end).order_by("id"))
    found = list(within[: MOVEMENTS_MAX + 1])
    if len(found) > MOVEMENTS_MAX:
        raise Invalid(f"more than {MOVEMENTS_MAX} movements: ask for fewer days")
    balances = dict(opening)
    movements: dict[int, list[Movement]] = {asset: [] for asset in opening}
    for row in found:
        asset, units = row[5], row[6]
        balances[asset] = balances.get(asset, 0) + units
        movements.setdefault(asset, []).append(_movement(row, balances[asset]))
    return Statement(position, tuple(_assets(opening, balances, movements)))


def _assets(
    opening: dict[int, int], closing: dict[int, int], movements: dict[int, list[Movement]]
) -> Iterable[AssetStatement]:
    for asset in sorted(movements):
        before, moved = opening.get(asset, 0), movements[asset]
        assert before + sum(one.amount_units for one in moved) == closing[asset]
        if before or moved:
            yield AssetStatement(asset, before, closing[asset], tuple(moved))


def movement_kind(kind: str, reference: str) -> str:
    """Return a member's word for an entry."""
    if kind == Entry.Kind.FILL:
        return "trade"
    if kind == Entry.Kind.DEBIT:
        charge = reference.rpartition(":")[2]
        return charge if charge in selectors.CHARGES else "withdrawal"
    if kind != Entry.Kind.CREDIT:
        return kind
    return "return" if reference.startswith("withdrawal:") else "deposit"


def _columns(
    rows: QuerySet[Posting],
) -> QuerySet[Posting, tuple[int, int, datetime, str, str, int, int]]:
    entry = ("entry__sequence", "entry__time", "entry__kind", "entry__reference")
    return rows.values_list("id", *entry, "asset_id", "amount_units")


def _movement(row: tuple[int, int, datetime, str, str, int, int], balance_units: int) -> Movement:
    number, sequence, time, kind, reference, asset, units = row
    return Movement(
        number,
        sequence,
        time,
        movement_kind(kind, reference),
        reference,
        asset,
        units,
        balance_units,
    )


def _balances(rows: QuerySet[Posting]) -> dict[int, int]:
    sums = rows.order_by().values_list("asset_id").annotate(Sum("amount_units"))
    return {asset: int(units) for asset, units in sums}

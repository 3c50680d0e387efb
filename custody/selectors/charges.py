"""Questions about fee and VAT of withdrawals: what they are, and how far they have come."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.db.models import Q, Sum

from custody.catalogue import CASH
from custody.errors import NotFound
from custody.models import REVENUE, Withdrawal, WithdrawalCharge
from matching.protocol.commands import Charge

CHARGES = ("fee", "vat")
_UNCHARGED = ("requested", "debiting", "refused", "cancelled", "returning", "returned")
_FAILED = ("refused", "cancelled", "returned")


@dataclass(frozen=True, slots=True)
class WithdrawalFee:
    """What a withdrawal cost, in base units of KRW."""

    requested_at: datetime
    withdrawal: UUID
    fee_units: int
    vat_units: int


def charges_of(withdrawal: Withdrawal) -> tuple[Charge, ...]:
    """Return what the debit of a withdrawal takes besides, in KRW."""
    units = (withdrawal.fee_units, withdrawal.vat_units)
    pairs = zip(CHARGES, units, strict=True)
    return tuple(Charge(name, CASH.id, charged) for name, charged in pairs if charged)


def charged_units(withdrawal: Withdrawal) -> int:
    """Return the sum of what is charged, in base units of KRW."""
    return sum(charge.amount_units for charge in charges_of(withdrawal))


def charge_intent_id(withdrawal_id: UUID) -> UUID:
    """Return the id under which the chain moves a withdrawal's charges, once."""
    return uuid5(withdrawal_id, "charges")


def charge_reference(withdrawal_id: UUID, name: str) -> str:
    """Return the engine's reference of the credit to revenue."""
    return f"withdrawal:{withdrawal_id.hex}:{name}"


def charge_get(withdrawal_id: UUID) -> WithdrawalCharge:
    """Return the charge of a withdrawal. Raises `NotFound`."""
    rows = WithdrawalCharge.objects.select_related("withdrawal")
    found = rows.filter(pk=withdrawal_id).first()
    if found is None:
        raise NotFound(f"withdrawal {withdrawal_id} is not charged")
    return found


def charges_unclosed(since: datetime) -> list[WithdrawalCharge]:
    """Return charges that were neither revenue nor given back at a time, or since."""
    rows = WithdrawalCharge.objects.filter(Q(closed_at=None) | Q(closed_at__gte=since))
    return list(rows.select_related("withdrawal").order_by("withdrawal__created_at"))


def withdrawal_fees(account: int, *, begin: datetime, end: datetime) -> list[WithdrawalFee]:
    """Return what withdrawals requested from `begin` up to `end` cost; not those that came back."""
    rows = Withdrawal.objects.filter(
        account_id=account, created_at__gte=begin, created_at__lt=end, fee_units__gt=0
    )
    return [
        WithdrawalFee(one.created_at, one.pk, one.fee_units, one.vat_units)
        for one in rows.exclude(state__in=_UNCHARGED).order_by("created_at", "id")
    ]


def vat_kept() -> int:
    """Return VAT in the revenue account, also what is about to come there, in base units."""
    states = (WithdrawalCharge.State.MOVED, WithdrawalCharge.State.CREDITED)
    return _vat(states) - _swept(Q(engine_sequence__isnull=False))


def vat_unswept() -> int:
    """Return VAT in the revenue account for which no sweep was asked yet, in base units."""
    return _vat((WithdrawalCharge.State.CREDITED,)) - _swept(Q())


def _vat(states: Iterable[str]) -> int:
    rows = WithdrawalCharge.objects.filter(state__in=states)
    return int(rows.aggregate(units=Sum("withdrawal__vat_units"))["units"] or 0)


def _swept(condition: Q) -> int:
    rows = Withdrawal.objects.filter(condition, account_id=REVENUE).exclude(state__in=_FAILED)
    swept = rows.filter(client_reference__startswith="vat:")
    return int(swept.aggregate(units=Sum("amount_units"))["units"] or 0)


def charges_owed() -> int:
    """Return charges that were debited and are neither revenue nor given back, in base units."""
    debited = Q(withdrawal__engine_sequence__isnull=False)
    rows = WithdrawalCharge.objects.filter(debited, closed_at=None)
    sums = rows.aggregate(fee=Sum("withdrawal__fee_units"), vat=Sum("withdrawal__vat_units"))
    return sum(int(units or 0) for units in sums.values())

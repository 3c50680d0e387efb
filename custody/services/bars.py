"""Bars that a withdrawal names: found and promised to it alone."""

from custody import locks, selectors
from custody.errors import Conflict, Invalid, NotFound
from custody.models import Asset, BarReservation, VaultBar, Withdrawal


def bars_chosen(asset: Asset, destination: str, amount_units: int) -> list[VaultBar]:
    """Return the bars that a destination names, with their rows locked.

    Only the actual weight is redeemed (KRX gold market): it must equal the amount. Raises
    `Invalid`, `NotFound`, `Conflict` when a bar is promised to another withdrawal.
    """
    names, _ = selectors.destination_parse(destination)
    if len(set(names)) != len(names):
        raise Invalid("a bar is named twice")
    found = {name: selectors.bar_find(name) for name in names}
    bars = locks.bars_lock([bar.pk for bar in found.values()])
    if taken := BarReservation.objects.filter(bar__in=bars).select_related("bar").first():
        raise Conflict(f"bar {taken.bar.serial} is promised to another withdrawal")
    available = selectors.bars_available(asset.pk).filter(pk__in=[bar.pk for bar in bars])
    if available.count() != len(bars):
        raise NotFound(f"not all of these bars stand behind {asset.code}")
    if len({bar.receipt.vault_id for bar in bars}) != 1:
        raise Invalid("one withdrawal takes bars of one vault")
    total = sum(selectors.bar_fine_units(bar.receipt, name) for name, bar in found.items())
    if total != amount_units:
        raise Invalid(f"the bars hold {total} fine units, the withdrawal is of {amount_units}")
    return bars


def bars_reserve(withdrawal: Withdrawal, bars: list[VaultBar]) -> None:
    """Promise bars to a withdrawal, in the transaction that locked them."""
    BarReservation.objects.bulk_create(
        BarReservation(bar=bar, withdrawal=withdrawal) for bar in bars
    )

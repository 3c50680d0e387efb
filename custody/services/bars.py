"""Bars that a withdrawal names: found, promised to it alone, handed over by the vault."""

import re

from custody import locks
from custody.errors import Conflict, Invalid, NotFound
from custody.models import Asset, BarReservation, Issuance, VaultBar, Withdrawal

BARS_MAX = 20

_BAR = r"[A-Za-z0-9_.:-]{1,64}/[A-Za-z0-9_.:-]{1,64}/[0-9]{4}"
_DESTINATION = re.compile(rf"({_BAR}(?:,{_BAR}){{0,{BARS_MAX - 1}}})@([A-Za-z0-9_.:-]{{1,64}})")

BarName = tuple[str, str, int]


def destination_parse(destination: str) -> tuple[list[BarName], str]:
    """Return the bars by (refiner, serial, year) and the pickup reference. Raises `Invalid`."""
    match = _DESTINATION.fullmatch(destination)
    if match is None:
        raise Invalid(
            f"bars are named <refiner>/<serial>/<year>, at most {BARS_MAX}, by commas, "
            "and then @<pickup reference>"
        )
    names = [one.split("/") for one in match.group(1).split(",")]
    return [(refiner, serial, int(year)) for refiner, serial, year in names], match.group(2)


def bars_chosen(asset: Asset, destination: str, amount_units: int) -> list[VaultBar]:
    """Return the bars that a destination names, with their rows locked.

    Only the actual weight is redeemed (KRX gold market): it must equal the amount. Raises
    `Invalid`, `NotFound`, `Conflict` when a bar is promised to another withdrawal.
    """
    names, _ = destination_parse(destination)
    found = [_bar_find(asset, name) for name in dict.fromkeys(names)]
    if len(found) != len(names):
        raise Invalid("a bar is named twice")
    bars = locks.bars_lock([bar.pk for bar in found])
    if taken := BarReservation.objects.filter(bar__in=bars).select_related("bar").first():
        raise Conflict(f"bar {taken.bar.serial} is promised to another withdrawal")
    if len({bar.receipt.vault_id for bar in bars}) != 1:
        raise Invalid("one withdrawal takes bars of one vault")
    total = sum(bar_fine_units(bar) for bar in bars)
    if total != amount_units:
        raise Invalid(f"the bars hold {total} fine units, the withdrawal is of {amount_units}")
    return bars


def bars_reserve(withdrawal: Withdrawal, bars: list[VaultBar]) -> None:
    """Promise bars to a withdrawal, in the transaction that locked them."""
    BarReservation.objects.bulk_create(
        BarReservation(bar=bar, withdrawal=withdrawal) for bar in bars
    )


def bar_fine_units(bar: VaultBar) -> int:
    """Return a bar's fine weight in base units, as vault and auditor signed it."""
    for listed in bar.receipt.bars:
        if (listed["refiner"], listed["serial"], listed["year"]) == (
            bar.refiner,
            bar.serial,
            bar.year,
        ):
            return int(listed["fine_units"])
    raise NotFound(f"bar {bar.serial} does not stand in receipt {bar.receipt_id}")


def _bar_find(asset: Asset, name: BarName) -> VaultBar:
    refiner, serial, year = name
    minted = [Issuance.State.MINTED, Issuance.State.CREDITED]
    bar = VaultBar.objects.filter(
        refiner=refiner,
        serial=serial,
        year=year,
        receipt__asset=asset,
        receipt__issuance__state__in=minted,
    ).first()
    if bar is None:
        raise NotFound(f"no bar {refiner}/{serial}/{year} of {asset.code} stands behind a token")
    return bar

"""Questions about bars in vaults: which stand behind tokens, what they weigh, who takes them."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.db.models import Case, Q, QuerySet, Value, When

from custody.errors import Invalid, NotFound
from custody.models import Issuance, ReleaseDue, VaultBar, VaultReceipt

BARS_MAX = 20

_BAR = r"[A-Za-z0-9_.:-]{1,64}/[A-Za-z0-9_.:-]{1,64}/[0-9]{4}"
_DESTINATION = re.compile(rf"({_BAR}(?:,{_BAR}){{0,{BARS_MAX - 1}}})@([A-Za-z0-9_.:-]{{1,64}})")


class BarState(StrEnum):
    """Where a bar stands: `stored` and `promised` bars stand behind tokens, and no others do."""

    RECEIVED = "received"
    STORED = "stored"
    PROMISED = "promised"
    REDEEMED = "redeemed"
    RELEASED = "released"


_MINTED = (Issuance.State.MINTED, Issuance.State.CREDITED)
_STATE = Case(
    When(reservation__withdrawal__release__isnull=False, then=Value(BarState.RELEASED)),
    When(reservation__withdrawal__executed_at__isnull=False, then=Value(BarState.REDEEMED)),
    When(reservation__isnull=False, then=Value(BarState.PROMISED)),
    When(receipt__issuance__state__in=_MINTED, then=Value(BarState.STORED)),
    default=Value(BarState.RECEIVED),
)


def bars_of(
    account: int, *, asset: int | None = None, state: str | None = None, before: int | None = None
) -> QuerySet[VaultBar]:
    """Return bars that an account delivered or redeems, each with its `state`, newest first.

    From below the id `before` on; the caller cuts the page.
    """
    own = Q(receipt__account_id=account) | Q(reservation__withdrawal__account_id=account)
    return _bars(BarState, asset, state, before).filter(own)


def bars_in_reserve(
    *, asset: int | None = None, state: str | None = None, before: int | None = None
) -> QuerySet[VaultBar]:
    """Return bars that stand behind tokens, whosever they are, as `bars_of` does."""
    return _bars((BarState.STORED, BarState.PROMISED), asset, state, before)


def _bars(
    states: Iterable[BarState], asset: int | None, state: str | None, before: int | None
) -> QuerySet[VaultBar]:
    wanted = {"receipt__asset": asset, "id__lt": before}
    rows = VaultBar.objects.annotate(state=_STATE).filter(
        state__in=[one for one in states if state in (None, one)],
        **{name: value for name, value in wanted.items() if value is not None},
    )
    related = rows.select_related("receipt", "reservation__withdrawal__release")
    return related.defer("receipt__bars").order_by("-id")


def bars_available(asset: int) -> QuerySet[VaultBar]:
    """Return bars that stand behind tokens and are promised to nobody, oldest first."""
    rows = VaultBar.objects.annotate(state=_STATE)
    stored = rows.filter(receipt__asset_id=asset, state=BarState.STORED)
    return stored.select_related("receipt").order_by("id")


def destination_parse(destination: str) -> tuple[list[str], str]:
    """Return bars as `<refiner>/<serial>/<year>`, and the pickup reference. Raises `Invalid`."""
    match = _DESTINATION.fullmatch(destination)
    if match is None:
        raise Invalid(
            f"bars are named <refiner>/<serial>/<year>, at most {BARS_MAX}, by commas, "
            "and then @<pickup reference>"
        )
    return match.group(1).split(","), match.group(2)


def bar_find(name: str) -> VaultBar:
    """Return the bar of a name `<refiner>/<serial>/<year>`. Raises `NotFound`."""
    refiner, serial, year = name.split("/")
    rows = VaultBar.objects.filter(refiner=refiner, serial=serial, year=int(year))
    bar = rows.select_related("receipt__asset").first()
    if bar is None:
        raise NotFound(f"no bar {name}")
    return bar


def bar_receipt(name: str) -> VaultReceipt:
    """Return the receipt in which a bar stands. Raises `NotFound`."""
    return bar_find(name).receipt


def bar_fine_units(receipt: VaultReceipt, name: str) -> int:
    """Return a bar's fine weight in base units, as the receipt's signers counted it.

    Raises `NotFound` when the receipt does not list the bar.
    """
    for listed in receipt.bars:
        if name == f"{listed['refiner']}/{listed['serial']}/{listed['year']:04}":
            return int(listed["fine_units"])
    raise NotFound(f"bar {name} does not stand in receipt {receipt.pk}")


def release_document(due: ReleaseDue) -> dict[str, Any]:
    """Return the order as custody signs it and sends it to the vault."""
    bars, pickup = destination_parse(due.withdrawal.destination)
    return {
        "order_id": str(due.pk),
        "vault": due.vault_id,
        "asset": due.withdrawal.asset.code,
        "bars": bars,
        "fine_units": due.withdrawal.amount_units,
        "pickup": pickup,
        "signature": bytes(due.signature or b"\0" * 64).hex(),
    }

"""Questions about assets and accounts."""

from collections.abc import Iterable

from django.db.models import Q
from django.utils import timezone

from custody.errors import NotFound, NotYet
from custody.models import Account, Asset


def asset_get(*, code: str) -> Asset:
    """Return the asset of a code. Raises `NotFound`."""
    asset = Asset.objects.filter(code=code).first()
    if asset is None:
        raise NotFound(f"no asset {code!r}")
    return asset


def assets_by_id() -> dict[int, Asset]:
    """Return all assets by number, in their order."""
    return {asset.pk: asset for asset in Asset.objects.order_by("id")}


def account_get(number: int) -> Account:
    """Return the account of a number. Raises `NotFound`."""
    account = Account.objects.filter(pk=number).first()
    if account is None:
        raise NotFound(f"no account {number}")
    return account


def accounts_by_number(numbers: Iterable[int] | None = None) -> dict[int, Account]:
    """Return the accounts of these numbers, or all, in their order; unknown ones left out."""
    rows = Account.objects.order_by("id")
    if numbers is not None:
        rows = rows.filter(pk__in=set(numbers))
    return {account.pk: account for account in rows}


def accounts_of_holder(holder: int) -> list[Account]:
    """Return a holder's accounts, oldest first."""
    return list(Account.objects.filter(holder=holder).order_by("id"))


def account_addresses(numbers: Iterable[int]) -> dict[int, str]:
    """Return the chain address of every account asked for.

    Raises `NotFound` for an unknown account, `NotYet` while custody's signer has not derived one.
    """
    wanted = set(numbers)
    rows = dict(Account.objects.filter(pk__in=wanted).values_list("id", "address"))
    if missing := wanted - set(rows):
        raise NotFound(f"no accounts {sorted(missing)}")
    addresses = {number: address for number, address in rows.items() if address}
    if waiting := wanted - set(addresses):
        raise NotYet(f"accounts {sorted(waiting)} have no address yet")
    return addresses


def accounts_unready(limit: int) -> list[int]:
    """Return accounts that engine or registry do not know yet and that are due, longest first."""
    rows = Account.objects.filter(Q(engine_sequence=None) | Q(registered_at=None))
    due = rows.filter(due_at__lte=timezone.now()).exclude(kind=Account.Kind.OUTSIDE)
    return list(due.order_by("due_at", "id").values_list("id", flat=True)[:limit])

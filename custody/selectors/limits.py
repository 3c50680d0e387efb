"""What of an account's automatic limits is used today."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from custody.models import Asset, AutomaticLimit, Issuance, Withdrawal


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit in base units of an asset, and what of it passed on the day."""

    action: str
    asset: Asset
    limit_units: int
    used_units: int


def limit_units(action: str, asset: Asset) -> int:
    """Return base units of an asset that pass in a day without officers; none unless set."""
    limit = AutomaticLimit.objects.filter(action=action, asset=asset).first()
    return limit.units if limit else 0


def limits_of(account: int, day: date) -> list[LimitUse]:
    """Return an account's automatic limits and their use on a trade date, by action and asset."""
    withdrawn = Withdrawal.objects.filter(account_id=account, limit_day=day)
    minted = Issuance.objects.filter(deposit__account=account, deposit__limit_day=day)
    used = {
        (action, asset): int(units)
        for action, rows in (("withdraw", withdrawn), ("deposit", minted))
        for asset, units in rows.order_by().values_list("asset").annotate(Sum("amount_units"))
    }
    limits = AutomaticLimit.objects.select_related("asset").order_by("action", "asset")
    return [
        LimitUse(one.action, one.asset, one.units, used.get((one.action, one.asset.pk), 0))
        for one in limits
        if one.action == AutomaticLimit.Action.WITHDRAW or one.asset.kind == Asset.Kind.CASH
    ]

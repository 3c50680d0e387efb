"""Automatic limits: up to how much of an asset passes in a day on one witness' word."""

from django.db import transaction

from compliance import policy
from compliance import services as compliance
from custody.errors import Invalid
from custody.models import Asset, AutomaticLimit
from matching.protocol.units import UNITS_MAX

BODY = "custody"


@transaction.atomic
def limit_set(*, action: str, asset: Asset, units: int, actor: str) -> None:
    """Set how many base units of an asset an account moves in a trade date without officers.

    In the policy of custody's signer, which goes by nothing else, and where members are told it.
    Raises `Invalid`.
    """
    if action not in AutomaticLimit.Action.values or not 0 <= units <= UNITS_MAX:
        raise Invalid(f"a limit of {action!r} is 0 to {UNITS_MAX} units, found {units}")
    AutomaticLimit.objects.update_or_create(action=action, asset=asset, defaults={"units": units})
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action="limit.set",
        subject=f"limit:{action}:{asset.code}",
        detail={"units": units},
    )
    policy.limit_set(BODY, action, asset.code, units)

"""`manage.py limits_init`: the automatic limits of an exchange for development."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from compliance import policy
from custody.models import AutomaticLimit
from custody.selectors import assets_by_id
from custody.services import limit_set

# A day: ten million won in and out (from where the AML decree has cash reported, a person a day),
# ten units of metal, ten shares. Up to there one witness' word is enough.
CASH_WHOLE = 10_000_000
OTHERS_WHOLE = 10


class Command(BaseCommand):
    help = "Give custody's signer small automatic limits where its policy has none yet."

    def handle(self, *args: Any, **options: Any) -> None:
        known = policy.policy_load("custody").limits
        for asset in assets_by_id().values():
            whole = CASH_WHOLE if asset.kind == asset.Kind.CASH else OTHERS_WHOLE
            for action in AutomaticLimit.Action.values:
                if f"{action}:{asset.code}" not in known:
                    units = whole * 10**asset.decimals
                    limit_set(action=action, asset=asset, units=units, actor="process:limits_init")
        self.stdout.write(json.dumps(policy.policy_load("custody").limits))

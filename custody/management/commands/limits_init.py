"""`manage.py limits_init`: the automatic limits of an exchange for development."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from compliance import policy
from custody.selectors import assets_by_id

# Ten million won in and out, ten units of metal, ten shares: below, one witness' word is enough.
CASH_WHOLE = 10_000_000
OTHERS_WHOLE = 10


class Command(BaseCommand):
    help = "Give custody's signer small automatic limits where its policy has none yet."

    def handle(self, *args: Any, **options: Any) -> None:
        known = policy.policy_load("custody").limits
        for asset in assets_by_id().values():
            whole = CASH_WHOLE if asset.kind == asset.Kind.CASH else OTHERS_WHOLE
            for action in ("deposit", "withdraw"):
                if f"{action}:{asset.code}" not in known:
                    policy.limit_set("custody", action, asset.code, whole * 10**asset.decimals)
        self.stdout.write(json.dumps(policy.policy_load("custody").limits))

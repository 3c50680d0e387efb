"""`manage.py limit_set`: up to how much custody's signer acts without two officers."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import policy
from compliance.services import audit_append
from custody.errors import NotFound
from custody.selectors import asset_get

ACTIONS = ("deposit", "withdraw")


class Command(BaseCommand):
    help = "Set an automatic limit in the policy of custody's signer, in base units of an asset."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--action", choices=ACTIONS, required=True)
        parser.add_argument("--asset", required=True, help="the asset's code")
        parser.add_argument("--units", type=int, required=True, help="0: always two officers")

    def handle(self, *args: Any, **options: Any) -> None:
        action, code, units = options["action"], options["asset"], options["units"]
        try:
            asset_get(code=code)
        except NotFound as error:
            raise CommandError(f"{error.code}: {error}") from error
        if units < 0:
            raise CommandError("a limit is not below zero")
        policy.limit_set("custody", action, code, units)
        audit_append(
            body="custody",
            actor="process:limit_set",
            action="limit.set",
            subject=f"limit:{action}:{code}",
            detail={"units": units},
        )
        self.stdout.write(json.dumps({"action": action, "asset": code, "units": units}))

"""`manage.py limit_set`: up to how much a day custody's signer acts without two officers."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody import services
from custody.errors import BodyRefused
from custody.models import AutomaticLimit
from custody.selectors import asset_get


class Command(BaseCommand):
    help = "Set an automatic limit of each account and day, in base units of an asset."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--action", choices=AutomaticLimit.Action.values, required=True)
        parser.add_argument("--asset", required=True, help="the asset's code")
        parser.add_argument("--units", type=int, required=True, help="0: always two officers")

    def handle(self, *args: Any, **options: Any) -> None:
        action, code, units = options["action"], options["asset"], options["units"]
        try:
            asset = asset_get(code=code)
            services.limit_set(action=action, asset=asset, units=units, actor="process:limit_set")
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps({"action": action, "asset": code, "units": units}))

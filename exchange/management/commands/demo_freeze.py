"""`manage.py demo_freeze`: freeze the member of an account by two officers; prints JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance.selectors import party_get
from custody.selectors import account_get
from exchange.demo.market import Market
from exchange.demo.waiting import wait_until


class Command(BaseCommand):
    help = "Freeze a played market's member, and wait until the engine has taken it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", type=int, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        holder = account_get(options["account"]).holder
        Market("").officers.decide("compliance.freeze", {"holder": holder}, "a court's order")

        def taken() -> bool:
            party = party_get(holder=holder)
            return party.frozen and party.engine_sequence is not None

        wait_until(taken, "the engine to take the freeze")
        party = party_get(holder=holder)
        self.stdout.write(
            json.dumps({"frozen": party.frozen, "engine_sequence": party.engine_sequence})
        )

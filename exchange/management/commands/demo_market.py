"""`manage.py demo_market`: people a running instance and open its markets; prints JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from exchange.demo.market import FUNDS, Market
from matching.protocol.units import InstrumentClass


class Command(BaseCommand):
    help = "Enrol officers, admit and fund members by evidence, open the default instruments."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help="of the REST door")
        parser.add_argument("--member", action="append", default=[], help="a name, repeatable")

    def handle(self, *args: Any, **options: Any) -> None:
        market = Market(options["url"])
        market.found()
        traders = market.members_admit(dict.fromkeys(options["member"], InstrumentClass.METAL))
        market.fund({trader.account: FUNDS for trader in traders})
        market.open()
        self.stdout.write(json.dumps([trader.credentials() for trader in traders]))

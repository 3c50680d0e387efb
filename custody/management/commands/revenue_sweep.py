"""`manage.py revenue_sweep`: send the venue's revenue to its bank account now."""

import json
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody.errors import BodyRefused
from custody.services import revenue_sweep
from custody.statements import TRADE_ZONE


class Command(BaseCommand):
    help = "Withdraw the whole won of the revenue account, once for a trade date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", type=date.fromisoformat, help="default: today in Seoul")

    def handle(self, *args: Any, **options: Any) -> None:
        day = options["day"] or datetime.now(TRADE_ZONE).date()
        try:
            sweep = revenue_sweep(day=day)
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        withdrawal = None if sweep is None else {"id": str(sweep.pk), "state": sweep.state}
        self.stdout.write(json.dumps({"day": day.isoformat(), "withdrawal": withdrawal}))

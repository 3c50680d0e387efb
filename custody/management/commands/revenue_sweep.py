"""`manage.py revenue_sweep`: send the venue's revenue and the VAT to its bank account now."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody.errors import BodyRefused
from custody.services import revenue_sweep, vat_sweep
from custody.trade_dates import trade_date


class Command(BaseCommand):
    help = "Withdraw the whole won of the revenue account, and VAT apart, once for a trade date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", type=date.fromisoformat, help="default: today in Seoul")

    def handle(self, *args: Any, **options: Any) -> None:
        day = options["day"] or trade_date()
        try:
            swept = {"withdrawal": revenue_sweep(day=day), "vat": vat_sweep(day=day)}
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        shown = {
            name: None if one is None else {"id": str(one.pk), "state": one.state}
            for name, one in swept.items()
        }
        self.stdout.write(json.dumps({"day": day.isoformat(), **shown}))

"""`manage.py bank_balances_check`: hold banks' signed balances against what customers are owed."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody import selectors, services
from custody.errors import BodyRefused
from custody.management.documents import document_read


class Command(BaseCommand):
    help = (
        "Keep signed balances, one a bank, for the reconciler, add them up and compare; "
        "status 1 when they do not cover it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", help="from each bank, or - for standard input")
        parser.add_argument("--currency", default="KRW")

    def handle(self, *args: Any, **options: Any) -> None:
        currency, held = options["currency"], {}
        try:
            for name in options["files"]:
                balance = services.bank_balance_receive(document=document_read(name))
                if balance.asset.code != currency or balance.bank_id in held:
                    raise CommandError(f"{name}: expected another bank's balance in {currency}")
                held[balance.bank_id] = balance.amount
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        owed = selectors.cash_owed(currency)
        found = {"currency": currency, "held": sum(held.values()), "owed": owed}
        self.stdout.write(json.dumps(found))
        if found["held"] < owed:
            raise CommandError(f"{owed - found['held']} {currency} are missing")

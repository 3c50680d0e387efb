"""`manage.py bank_account_register`: note the bank account to which an account's money may go."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody.errors import BodyRefused
from custody.models import REVENUE
from custody.services import bank_account_register


class Command(BaseCommand):
    help = "Register a bank account: the venue's own for its revenue, or a member's."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", type=int, default=REVENUE, help="default: revenue")
        parser.add_argument("--bank", required=True)
        parser.add_argument("--number", required=True)
        parser.add_argument("--holder", required=True, help="the name at the bank")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = bank_account_register(
                account=options["account"],
                bank=options["bank"],
                number=options["number"],
                holder_name=options["holder"],
                actor="process:bank_account_register",
            )
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps({"account": made.account_id, "id": made.pk}))

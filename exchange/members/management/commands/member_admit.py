"""Admit an identified party as a member and open its account; prints JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.errors import BodyRefused
from exchange.members.services import member_admit


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--holder", type=int, required=True)
        parser.add_argument("--label", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            member = member_admit(
                holder=options["holder"], label=options["label"], actor="process:manage"
            )
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(
            json.dumps(
                {
                    "member": member.pk,
                    "holder": options["holder"],
                    "account": member.account_id,
                    "label": member.label,
                    "state": member.state,
                }
            )
        )

"""`manage.py act_reject`: turn a proposal down."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import selectors
from compliance.errors import BodyRefused
from compliance.management.output import act_json
from compliance.services import act_reject


class Command(BaseCommand):
    help = "Reject another officer's proposal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act_id", type=UUID)
        parser.add_argument("--officer", required=True, help="user name")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            act = act_reject(
                act_id=options["act_id"],
                officer=selectors.officer_get(options["officer"]),
                reason=options["reason"],
            )
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(act_json(act))

"""`manage.py party_apply`: record an applicant."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.errors import BodyRefused
from compliance.models import Party
from compliance.services import party_apply


class Command(BaseCommand):
    help = "Record an applicant under a fresh holder number; print it as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--kind", choices=Party.Kind.values, default=Party.Kind.PERSON.value)
        parser.add_argument("--jurisdiction", default="KR")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            party = party_apply(
                legal_name=options["name"],
                kind=options["kind"],
                jurisdiction=options["jurisdiction"],
                actor="process:party_apply",
            )
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps({"holder": party.holder, "state": party.state}))

"""`manage.py act_list`: show acts, newest first, one JSON object a line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance import selectors
from compliance.management.output import act_json
from compliance.models import Act, Body


class Command(BaseCommand):
    help = "List acts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--body", choices=Body.values)
        parser.add_argument("--state", choices=Act.State.values)
        parser.add_argument("--limit", type=int, default=100)

    def handle(self, *args: Any, **options: Any) -> None:
        rows = selectors.acts_list(
            body=options["body"], state=options["state"], limit=options["limit"]
        )
        for act in rows:
            self.stdout.write(act_json(act))

"""`manage.py awaited_list`: show what waits for officers or for a bank, one piece a line."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from custody import selectors


class Command(BaseCommand):
    help = (
        "List what officers must decide (deposits, withdrawals, halts), payments no bank answered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        for one in selectors.awaited_list():
            if options["json"]:
                self.stdout.write(json.dumps(asdict(one) | {"since": one.since.isoformat()}))
            else:
                self.stdout.write(f"{one.kind} {one.id}: since {one.since:%F %T}, {one.detail}")

"""`manage.py dead_letters_list`: show relayed work that needs a person, one piece a line."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance.dead_letters import letters
from exchange.operations.dead_letters import QUEUES


class Command(BaseCommand):
    help = "List work of all bodies that failed so often, or was given up, that a person must look."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        for letter in letters(QUEUES):
            if options["json"]:
                shown = asdict(letter) | {"since": letter.since.isoformat()}
                self.stdout.write(json.dumps(shown))
            else:
                self.stdout.write(
                    f"{letter.kind} {letter.id}: {letter.state} since {letter.since:%F %T}, "
                    f"{letter.attempts} attempts: {letter.error or 'see the log of its process'}"
                )

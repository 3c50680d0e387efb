"""`manage.py set_up`: carry out the steps of an instance's set-up in one process.

Each step is a command of its own, safe to run again; together they spare starting Python for each.
"""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    requires_system_checks = []
    help = "Run the named commands one after another; the first that fails ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("steps", nargs="+", metavar="COMMAND")

    def handle(self, *args: Any, **options: Any) -> None:
        for step in options["steps"]:
            call_command(step, **({"interactive": False} if step == "migrate" else {}))

"""`manage.py reconcile`: compare engine, ledger, chain and outside holdings now; JSON on stdout."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from settlement.reconciler import reconcile


class Command(BaseCommand):
    help = "Compare all records at one cut. A difference halts withdrawals and exits with 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", type=Path, help="write the report to this file as well")

    def handle(self, *args: Any, **options: Any) -> None:
        found = reconcile()
        document = json.dumps(found.report, indent=1)
        if options["json"]:
            options["json"].write_text(document + "\n")
        self.stdout.write(document)
        if found.mismatches:
            raise SystemExit(1)

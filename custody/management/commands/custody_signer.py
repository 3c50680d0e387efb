"""`manage.py custody_signer`: the one process that opens custody's chain key and seed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance.process import run_until_stopped
from custody.signer import CustodySigner


class Command(BaseCommand):
    help = "Derive account addresses, sign openings and proven mints, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what waits, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        signer = CustodySigner.open()
        run_until_stopped(signer.work, channel="custody_intents", once=options["once"])

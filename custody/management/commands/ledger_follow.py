"""`manage.py ledger_follow`: post what the engine did, from the ledger's own position on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import InterfaceError, OperationalError, connection

from compliance.process import DATABASE_RETRY_S, Stop, logger
from custody import selectors
from custody.ledger import ledger_apply
from matching.client import engine_address, follow

FOLLOWER = "ledger"
GATHER_MS = 200


class Command(BaseCommand):
    help = "Follow the engine's events into the ledger until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when nothing new comes")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        while not stop:
            try:
                self._follow(stop, once=options["once"])
                return
            except (OperationalError, InterfaceError) as error:
                logger.warning("database lost (%s): trying again", error)
                connection.close()
                stop.wait(DATABASE_RETRY_S)

    def _follow(self, stop: Stop, *, once: bool) -> None:
        position = selectors.ledger_position()
        entries = follow(
            engine_address(), follower=FOLLOWER, after_sequence=position, gather_ms=GATHER_MS
        )
        for entry in entries:
            if entry is not None:
                ledger_apply(entry.applied)
            if stop or (once and entry is None):
                return

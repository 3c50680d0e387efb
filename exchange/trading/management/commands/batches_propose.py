"""`manage.py batches_propose`: the venue's clearing cycle, from fills to batches handed over."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance.process import run_until_stopped
from exchange.trading.batches import CHANNEL, CYCLE_S, Cycle


class Command(BaseCommand):
    help = "Net what was filled each cycle and hand it, once signed, to the clearing house."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--cycle-s", type=float, default=CYCLE_S)

    def handle(self, *args: Any, **options: Any) -> None:
        run_until_stopped(Cycle(options["cycle_s"]).step, channel=CHANNEL)

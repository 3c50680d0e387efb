"""Write orders and fills from the engine's events until told to stop."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from exchange.trading.projector import project
from matching.client import engine_address


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        stopped: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, frame: stopped.append(received))
        project(engine_address(), stopping=lambda: bool(stopped))

"""Write orders and fills from the engine's events until told to stop."""

from typing import Any

from django.core.management.base import BaseCommand

from compliance.process import Stop
from exchange.trading.projector import project
from matching.client import engine_address


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        project(engine_address(), stop=Stop())

"""Keep books, trades and tickers in Valkey until told to stop."""

from typing import Any

from django.core.management.base import BaseCommand

from compliance.process import Stop
from exchange.marketdata.follower import marketdata_follow
from matching.client import engine_address


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        marketdata_follow(engine_address(), stopping=lambda: bool(stop))

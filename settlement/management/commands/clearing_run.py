"""`manage.py clearing_run`: the clearing house's follower, from fills to obligations."""

from typing import Any

from django.core.management.base import BaseCommand

from compliance.process import Stop
from settlement.obligations import obligations_follow


class Command(BaseCommand):
    help = "Store what each fill makes accounts owe, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        obligations_follow(stopping=lambda: bool(stop))

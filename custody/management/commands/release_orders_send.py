"""`manage.py release_orders_send`: print signed orders that vaults have not answered, as JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from custody.services import releases_send


class Command(BaseCommand):
    help = "Print orders to release bars; sending one again is safe."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps({"releases": releases_send()}))

"""`manage.py payment_orders_send`: hand signed payment orders to the bank."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from custody.services import payments_send


class Command(BaseCommand):
    help = "Print every signed payment order that no bank has answered; a bank pays each once."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps({"payments": payments_send()}))

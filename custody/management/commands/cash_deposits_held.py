"""`manage.py cash_deposits_held`: what was paid in and waits for officers."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from custody.selectors import cash_deposits_held

LIST_LIMIT = 1000


class Command(BaseCommand):
    help = "Print the bank's notices that stand in review, oldest first, and why each does."

    def handle(self, *args: Any, **options: Any) -> None:
        held = [
            {
                "notice_id": one.pk,
                "reason": one.reason,
                "account": one.account_id,
                "notice": one.document,
                "received_at": one.received_at.isoformat(),
            }
            for one in cash_deposits_held()[:LIST_LIMIT]
        ]
        self.stdout.write(json.dumps({"deposits": held}))

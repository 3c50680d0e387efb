"""`manage.py chain_deploy`: put this instance's contracts on the chain, once however often run."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from settlement.deployment import chain_deploy


class Command(BaseCommand):
    help = "Deploy and wire the contracts, fill the lanes' purses, tell the bodies the addresses."

    def handle(self, *args: Any, **options: Any) -> None:
        found = chain_deploy()
        document = {
            "instance": str(found.instance),
            "chain_id": found.chain_id,
            "settlement": found.settlement,
            "authorities": found.authorities,
            "tokens": found.tokens,
        }
        self.stdout.write(json.dumps(document))

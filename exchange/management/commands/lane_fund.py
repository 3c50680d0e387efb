"""`manage.py lane_fund`: give the lane's key ether on a development node; name its address."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from exchange.stack.chain import lane_address, lane_fund
from settlement.lanes import master_key


class Command(BaseCommand):
    help = "Fill the lane's purse where the node is anvil; elsewhere send ether to the address."

    def handle(self, *args: Any, **options: Any) -> None:
        key = master_key()
        lane_fund(settings.CHAIN_URL, key)
        self.stdout.write(f"the lane pays gas from {lane_address(key)}")

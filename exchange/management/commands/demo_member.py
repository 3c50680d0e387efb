"""`manage.py demo_member`: a funded member in an open market, with a fresh API key; prints JSON."""

import json
import os
from typing import Any

from django.core.management.base import BaseCommand

from exchange.demo.market import FUNDS, Market
from exchange.members.selectors import member_by_label
from matching.protocol.units import InstrumentClass

LABEL = "Demo member"


class Command(BaseCommand):
    help = "Admit and fund the demo member if there is none yet, and make an API key for it."

    def handle(self, *args: Any, **options: Any) -> None:
        market = Market(os.environ.get("NEXUS_WEB_URL", ""))
        market.found()
        market.open()
        member = member_by_label(LABEL)
        if member is None:
            (trader,) = market.members_admit({LABEL: InstrumentClass.METAL})
            market.fund({trader.account: FUNDS})
        else:
            trader = market.key_make(member.account_id, LABEL)
        self.stdout.write(json.dumps(trader.credentials()))

"""`manage.py demo_member`: a funded member in an open market, with a fresh API key; prints JSON."""

import json
import os
from typing import Any

from django.core.management.base import BaseCommand

from custody.selectors import asset_get, ledger_balances
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
        else:
            trader = market.key_make(member.account_id, LABEL)
        # An earlier start may have been broken off before or between the mints.
        had = {asset for account, asset in ledger_balances() if account == trader.account}
        lacking = {code: n for code, n in FUNDS.items() if asset_get(code=code).id not in had}
        market.fund({trader.account: lacking})
        self.stdout.write(json.dumps(trader.credentials()))

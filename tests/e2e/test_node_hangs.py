"""A node that hangs holds up what needs the chain, and no market."""

import os
import signal
from uuid import uuid4

from exchange.stack.readiness import health_read
from tests.e2e.house import House
from tests.waiting import wait_until

VENUE_SWEEPS = {"venue.phases_schedule", "venue.applications_admit", "venue.sweep"}
HANGING_S, AT_WORK_S = 8, 5


def test_market_goes_on_while_the_node_hangs(house: House) -> None:
    def swept_s_ago() -> dict[str, float]:
        found: dict[str, float] = health_read(house.stack.web_url)["sweeps_s_ago"]
        return found

    node = house.stack.process("chain").pid
    os.kill(node, signal.SIGSTOP)
    try:
        wait_until(lambda: swept_s_ago()["settlement.sweep"] > HANGING_S, timeout_s=60)
        ago = swept_s_ago()
        assert max(ago[name] for name in VENUE_SWEEPS) < AT_WORK_S, ago
        assert health_read(house.stack.web_url)["chain"]["answered_s_ago"] > AT_WORK_S
        wish = {"instrument": "XAU-KRW", "side": "buy", "price": "190000", "quantity": "0.01"}
        placed = house.traders[0].order(client_order_id=uuid4().hex, **wish)
        assert placed.status == 201, placed
    finally:
        os.kill(node, signal.SIGCONT)
    wait_until(lambda: swept_s_ago()["settlement.sweep"] < AT_WORK_S, timeout_s=90)
    wait_until(lambda: health_read(house.stack.web_url)["chain"]["answered_s_ago"] < AT_WORK_S)
    house.traders[0].cancel_all()
    house.settled()

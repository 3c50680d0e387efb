"""A member frozen between fill and settlement: what was filled settles, nothing follows."""

import json
from uuid import uuid4

from exchange.demo.trader import Trader
from tests.e2e.house import House
from tests.waiting import wait_until

XAU = 2


def _frozen_on_chain(house: House, account: int) -> bool:
    rows = house.query(
        "SELECT 1 FROM compliance_registryintent i JOIN compliance_holderaddress a"
        " ON a.id = i.address_id WHERE a.account = %s AND i.state = 'confirmed'"
        " AND (i.subject->>'frozen')::boolean",
        account,
    )
    return bool(rows)


def _gold(trader: Trader, side: str, price: str = "190000") -> tuple[int, dict[str, object]]:
    answer = trader.order(
        client_order_id=uuid4().hex,
        instrument="XAU-KRW",
        side=side,
        price=price,
        quantity="1.00",
    )
    return answer.status, answer.document


def test_earlier_fills_settle_and_nothing_later_when_a_member_is_frozen(
    house: House,
) -> None:
    seller, buyer = house.traders[2:]
    house.settled()
    house.stack.stop("venue-clearing")
    gold_before = house.units(seller.account, XAU)

    assert _gold(seller, "sell")[0] == 201
    status, bought = _gold(buyer, "buy")
    assert (status, bought["state"]) == (201, "filled")
    assert _gold(seller, "sell", "195000")[0] == 201

    frozen = house.stack.manage("demo_freeze", "--account", str(seller.account))
    assert json.loads(frozen.stdout)["frozen"] is True
    open_orders = seller.send("GET", "/v1/orders", query={"state": "open"})

    def cancelled() -> bool:
        listed = seller.send("GET", "/v1/orders", query={"state": "open"}).document
        return bool(listed["orders"] == [])

    assert open_orders.status == 200
    wait_until(cancelled)
    status, problem = _gold(seller, "sell")
    assert (status, problem["code"]) == (403, "frozen")
    wait_until(lambda: _frozen_on_chain(house, seller.account), timeout_s=60)

    house.stack.start("venue-clearing")
    house.settled()
    house.agrees()
    assert house.units(seller.account, XAU) == gold_before - 1_000
    fill = seller.send("GET", "/v1/fills").document["fills"][0]
    assert fill["settled"] is True

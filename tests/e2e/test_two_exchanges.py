"""Two whole exchanges side by side: every part their own but the chain, on which both settle."""

from uuid import uuid4

from tests.conftest import StackFactory
from tests.e2e.house import House


def _gram_sold(house: House) -> None:
    seller, buyer = house.traders[:2]
    terms = {"instrument": "XAU-KRW", "price": "190000", "quantity": "1.00"}
    assert seller.order(client_order_id=uuid4().hex, side="sell", **terms).status == 201
    bought = buyer.order(client_order_id=uuid4().hex, side="buy", **terms)
    assert (bought.status, bought.document["state"]) == (201, "filled")


def test_two_exchanges_settle_on_one_chain(house: House, new_stack: StackFactory) -> None:
    urls = {"CHAIN_URL": house.stack.urls["CHAIN_URL"]}
    there = House.peopled(new_stack("there", urls=urls), "Eom Daeun", "Go Eunji")
    assert "chain" not in there.stack.names
    houses = (house, there)
    for one in houses:
        _gram_sold(one)
    for one in houses:
        one.settled()
        one.agrees()
    contracts = [one.query("SELECT settlement FROM settlement_deployment") for one in houses]
    assert contracts[0] != contracts[1]

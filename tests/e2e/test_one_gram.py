"""One gram of gold goes from one member to another, through every part, and comes back as title."""

from uuid import uuid4

from tests.e2e.house import House

KRW, XAU, XAG, GRAM = 1, 2, 3, 1_000
PRICE_UNITS = 190_000 * 10_000


def test_one_gram_changes_hands_when_two_orders_meet(house: House) -> None:
    seller, buyer = house.traders[:2]
    before = {
        (t.account, a): house.units(t.account, a) for t in (seller, buyer) for a in (KRW, XAU)
    }
    terms = {"instrument": "XAU-KRW", "price": "190000", "quantity": "1.00"}
    offered = seller.order(client_order_id=uuid4().hex, side="sell", **terms)
    bought = buyer.order(client_order_id=uuid4().hex, side="buy", **terms)
    assert (offered.status, bought.status) == (201, 201)
    assert bought.document["state"] == "filled"
    house.settled()

    maker_fee, taker_fee = PRICE_UNITS * 100 // 1_000_000, PRICE_UNITS * 300 // 1_000_000
    expected = {
        (seller.account, KRW): PRICE_UNITS - maker_fee,
        (seller.account, XAU): -GRAM,
        (buyer.account, KRW): -PRICE_UNITS - taker_fee,
        (buyer.account, XAU): GRAM,
    }
    _, report = house.reconcile()
    rows = {(row["account"], row["asset"]): row for row in report["accounts"]}
    for key, change in expected.items():
        row = rows[key]
        assert row["engine"] == row["ledger"] == row["chain"] == before[key] + change
    assert report["mismatches"] == []

    fill = buyer.send("GET", "/v1/fills").document["fills"][0]
    assert (fill["quantity"], fill["price"], fill["settled"]) == ("1.00", "190000", True)


def test_supply_equals_vault_and_bank_when_all_is_credited(house: House) -> None:
    house.settled()
    status, report = house.reconcile()
    assert status == 0
    assert {row["asset"] for row in report["assets"] if row["supply"]} >= {KRW, XAU, XAG}
    for row in report["assets"]:
        assert row["supply"] <= row["outside_holdings"]  # money may be in review at the bank
        assert row["escrow"] == 0
    (silver,) = (row for row in report["assets"] if row["asset"] == XAG)
    assert silver["supply"] == silver["outside_holdings"] == silver["minted_evidence"] > 0

"""Orders, fills and balances over the wire: real server, engine, database, projector."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest

from exchange.api.gathering import THREADS
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until


@pytest.fixture
def other(venue: Venue) -> Trader:
    return venue.trader().fund(krw=100_000_000, xau_mg=100_000)


def balances(trader: Trader) -> dict[str, tuple[str, str]]:
    found = trader.get("/v1/balances")["balances"]
    return {each["asset"]: (each["available"], each["held"]) for each in found}


def fills(trader: Trader, count: int) -> list[dict[str, object]]:
    """Wait until so many fills are recorded and return them, newest first."""
    wait_until(lambda: len(trader.get("/v1/fills")["fills"]) >= count)
    found: list[dict[str, object]] = trader.get("/v1/fills")["fills"]
    return found


def test_order_rests_and_is_read_back_when_nothing_matches(trader: Trader) -> None:
    placed = trader.place("buy", "95000", "0.05")
    shown = {name: placed[name] for name in ("state", "price", "quantity", "remaining_quantity")}
    assert shown == {
        "state": "open",
        "price": "95000",
        "quantity": "0.05",
        "remaining_quantity": "0.05",
    }
    assert trader.get(f"/v1/orders/{placed['order_id']}") == placed
    assert trader.get(f"/v1/orders/by-client-id/{placed['client_order_id']}") == placed
    assert trader.get("/v1/orders?state=open")["orders"] == [placed]
    # 95,000 x 0.05 and 300 ppm of it, which a taker would pay.
    assert balances(trader)["KRW"] == ("99995248.5750", "4751.4250")


def test_order_trades_when_it_meets_another(trader: Trader, other: Trader) -> None:
    resting = trader.place("sell", "100000", "0.05")
    taking = other.place("buy", "100010", "0.02")
    assert (taking["state"], taking["filled_quantity"]) == ("filled", "0.02")
    assert (taking["filled_amount"], taking["fee"]) == ("2000.0000", "0.6000")
    (taken,), (made,) = fills(other, 1), fills(trader, 1)
    assert taken["fill_id"] == made["fill_id"]
    common = ("instrument", "price", "quantity", "amount", "settled")
    for fill in (taken, made):
        assert [fill[name] for name in common] == ["XAU-KRW", "100000", "0.02", "2000.0000", False]
    own = ("order_id", "side", "liquidity", "fee")
    assert [taken[name] for name in own] == [taking["order_id"], "buy", "taker", "0.6000"]
    assert [made[name] for name in own] == [resting["order_id"], "sell", "maker", "0.2000"]
    assert balances(other)["XAU"] == ("100.020", "0.000")
    assert balances(trader)["KRW"] == ("100001999.8000", "0.0000")
    maker = trader.get(f"/v1/orders/{resting['order_id']}")
    assert (maker["state"], maker["remaining_quantity"]) == ("open", "0.03")
    trader.send("DELETE", "/v1/orders")


def test_order_is_returned_when_it_is_placed_again(venue: Venue, trader: Trader) -> None:
    body = trader.order("buy", "95000", "0.05")
    first = trader.send("POST", "/v1/orders", body)
    before = venue.status().state_hash
    again = trader.send("POST", "/v1/orders", body)
    assert (first.status, again.status) == (201, 200), again.body
    assert again.json == first.json
    assert again.headers["location"] == f"/v1/orders/{first.json['order_id']}"
    assert venue.status().state_hash == before


def test_order_is_refused_when_its_client_id_has_other_content(
    venue: Venue, trader: Trader
) -> None:
    body = trader.order("buy", "95000", "0.05")
    trader.send("POST", "/v1/orders", body)
    before = venue.status().state_hash
    for change in ({"quantity": "0.06"}, {"price": "95010"}, {"side": "sell"}, {"post_only": True}):
        answer = trader.send("POST", "/v1/orders", body | change)
        assert (answer.status, answer.code) == (409, "client_order_id_reused")
    assert venue.status().state_hash == before


def test_order_is_returned_as_it_stands_when_it_was_amended_since(trader: Trader) -> None:
    body = trader.order("buy", "95000", "0.05")
    order = trader.send("POST", "/v1/orders", body).json
    target = f"/v1/orders/{order['order_id']}"
    trader.send("PATCH", target, {"price": "95000", "quantity": "0.03"})
    wait_until(lambda: trader.get(target)["remaining_quantity"] == "0.03")
    again = trader.send("POST", "/v1/orders", body)
    assert (again.status, again.json["remaining_quantity"]) == (200, "0.03")


def test_client_ids_are_each_members_own(trader: Trader, other: Trader) -> None:
    client_order_id = uuid4().hex
    for one in (trader, other):
        one.place("buy", "95000", "0.01", client_order_id=client_order_id)


def test_amendment_keeps_priority_only_when_the_quantity_falls(trader: Trader) -> None:
    order = trader.place("buy", "95000", "0.05")
    target = f"/v1/orders/{order['order_id']}"
    less = trader.send("PATCH", target, {"price": "95000", "quantity": "0.04"}).json
    assert (less["priority_kept"], less["order"]["remaining_quantity"]) == (True, "0.04")
    more = trader.send("PATCH", target, {"price": "95010", "quantity": "0.07"}).json
    assert (more["priority_kept"], more["order"]["price"]) == (False, "95010")
    wait_until(lambda: trader.get(target)["quantity"] == "0.07")


def test_amendment_trades_when_it_crosses(trader: Trader, other: Trader) -> None:
    trader.place("sell", "100000", "0.02")
    order = other.place("buy", "95000", "0.03")
    target = f"/v1/orders/{order['order_id']}"
    amended = other.send("PATCH", target, {"price": "100000", "quantity": "0.03"}).json["order"]
    assert (amended["filled_quantity"], amended["remaining_quantity"]) == ("0.02", "0.01")
    other.send("DELETE", target)


def test_amendment_tells_what_was_traded_just_before(trader: Trader, other: Trader) -> None:
    order = trader.place("sell", "100000", "0.05")
    other.place("buy", "100000", "0.02")
    target = f"/v1/orders/{order['order_id']}"
    amended = trader.send("PATCH", target, {"price": "100000", "quantity": "0.01"}).json["order"]
    told = [amended[f"{name}quantity"] for name in ("", "filled_", "remaining_")]
    assert told == ["0.03", "0.02", "0.01"]
    trader.send("DELETE", target)


def test_cancelled_order_frees_what_it_held(trader: Trader) -> None:
    order = trader.place("sell", "105000", "1.00")
    target = f"/v1/orders/{order['order_id']}"
    assert balances(trader)["XAU"] == ("99.000", "1.000")
    cancelled = trader.send("DELETE", target)
    assert (cancelled.status, cancelled.json["cancelled_quantity"]) == (200, "1.00")
    assert balances(trader)["XAU"] == ("100.000", "0.000")
    wait_until(lambda: trader.get(target)["state"] == "cancelled")
    assert trader.get(target)["cancel_reason"] == "requested"
    again = trader.send("DELETE", target)
    assert (again.status, again.code) == (404, "unknown_order")


def test_all_orders_of_one_instrument_or_of_all_are_cancelled_when_asked(trader: Trader) -> None:
    gold = [trader.place("buy", "95000", "0.01")["order_id"] for _ in range(3)]
    silver = trader.place("buy", "950", "1", instrument="XAG-KRW")["order_id"]
    answer = trader.send("DELETE", "/v1/orders?instrument=XAU-KRW")
    assert answer.json == {"order_ids": gold}
    assert trader.send("DELETE", "/v1/orders").json == {"order_ids": [silver]}
    assert trader.send("DELETE", "/v1/orders").json == {"order_ids": []}


def test_order_is_closed_at_once_when_it_may_not_rest(trader: Trader, other: Trader) -> None:
    trader.place("sell", "100000", "0.01")
    killed = other.send(
        "POST", "/v1/orders", other.order("buy", "100000", "0.02", time_in_force="fok")
    )
    assert (killed.status, killed.code) == (409, "fill_or_kill_unfillable")
    posting = other.send("POST", "/v1/orders", other.order("buy", "100000", "0.01", post_only=True))
    assert (posting.status, posting.code) == (409, "post_only_would_trade")
    rest = other.place("buy", "100000", "0.02", time_in_force="ioc")
    assert (rest["state"], rest["cancel_reason"], rest["filled_quantity"]) == (
        "cancelled",
        "immediate",
        "0.01",
    )


def test_market_order_takes_what_there_is(trader: Trader, other: Trader) -> None:
    trader.place("sell", "100000", "0.01")
    trader.place("sell", "100010", "0.01")
    bought = other.place("buy", None, "0.02", kind="market")
    assert (bought["state"], bought["price"], bought["time_in_force"]) == ("filled", None, "ioc")
    assert bought["filled_amount"] == "2000.1000"


def test_self_trade_is_prevented_when_both_orders_are_ones_own(trader: Trader) -> None:
    trader.place("sell", "100000", "0.01")
    newest = trader.place("buy", "100000", "0.01")
    assert (newest["state"], newest["cancel_reason"]) == ("cancelled", "self_trade")
    trader.send("DELETE", "/v1/orders")


def test_pages_join_without_gap_or_overlap(trader: Trader) -> None:
    placed = [trader.place("buy", "95000", "0.01")["order_id"] for _ in range(7)]
    trader.get(f"/v1/orders/{placed[-1]}")
    trader.send("DELETE", f"/v1/orders/{placed[3]}")
    wait_until(lambda: trader.get(f"/v1/orders/{placed[3]}")["state"] == "cancelled")
    seen, cursor = [], ""
    while cursor is not None:
        page = trader.get("/v1/orders?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        seen += [order["order_id"] for order in page["orders"]]
        cursor = page["next_cursor"]
    assert seen == placed[::-1]
    closed = trader.get("/v1/orders?state=closed")["orders"]
    assert [order["order_id"] for order in closed] == [placed[3]]
    opened = trader.get("/v1/orders?state=open&instrument=XAU-KRW")["orders"]
    assert len(opened) == 6
    assert trader.get("/v1/orders?instrument=XAG-KRW")["orders"] == []


def test_fills_are_ones_own_and_found_by_order(venue: Venue, trader: Trader, other: Trader) -> None:
    orders = [trader.place("sell", "100000", "0.01")["order_id"] for _ in range(3)]
    other.place("buy", "100000", "0.03")
    fills(trader, 3)
    assert [fill["order_id"] for fill in fills(trader, 3)] == orders[::-1]
    (one,) = trader.get(f"/v1/fills?order_id={orders[1]}")["fills"]
    assert one["order_id"] == orders[1]
    first = trader.get("/v1/fills?limit=2")
    second = trader.get(f"/v1/fills?limit=2&cursor={first['next_cursor']}")
    assert [len(first["fills"]), len(second["fills"]), second["next_cursor"]] == [2, 1, None]
    assert venue.trader().get("/v1/fills")["fills"] == []


def test_money_is_conserved_between_two_members(trader: Trader, other: Trader) -> None:
    def krw() -> Decimal:
        return sum(
            (
                Decimal(available) + Decimal(held)
                for available, held in (balances(trader)["KRW"], balances(other)["KRW"])
            ),
            Decimal(0),
        )

    before = krw()
    trader.place("sell", "100000", "0.37")
    other.place("buy", "100000", "0.37")
    paid = [Decimal(str(fills(one, 1)[0]["fee"])) for one in (trader, other)]
    assert paid == [Decimal("3.7"), Decimal("11.1")]
    assert before - krw() == sum(paid)


def test_order_is_amended_and_cancelled_by_its_client_id(trader: Trader) -> None:
    order = trader.place("buy", "95000", "0.05")
    target = f"/v1/orders/by-client-id/{order['client_order_id']}"
    amended = trader.send("PATCH", target, {"price": "95010", "quantity": "0.04"}).json["order"]
    assert (amended["order_id"], amended["price"]) == (order["order_id"], "95010")
    cancelled = trader.send("DELETE", target).json
    assert (cancelled["order_id"], cancelled["cancelled_quantity"]) == (order["order_id"], "0.04")
    again = trader.send("DELETE", target)
    assert (again.status, again.code) == (404, "unknown_order")


def test_order_just_placed_is_cancelled_by_its_client_id_while_the_projector_is_gone(
    venue: Venue, trader: Trader
) -> None:
    venue.stack.stop("projector")
    try:
        order = trader.place("sell", "105000", "1.00")
        target = f"/v1/orders/by-client-id/{order['client_order_id']}"
        with ThreadPoolExecutor(THREADS) as pool:
            waiting = [pool.submit(trader.send, "GET", target) for _ in range(THREADS)]
            wait_until(lambda: any(each.running() for each in waiting))
            cancelled = trader.send("DELETE", target)
            assert not all(each.done() for each in waiting), "who waits holds up who cancels"
        assert {each.result().code for each in waiting} == {"projection_behind"}
        again = trader.send("DELETE", target)
    finally:
        venue.stack.start("projector")
    assert (cancelled.status, cancelled.json["order_id"]) == (200, order["order_id"])
    assert balances(trader)["XAU"] == ("100.000", "0.000")
    assert (again.status, again.code) == (404, "unknown_order")
    wait_until(lambda: trader.send("GET", target).status == 200)
    assert trader.get(target)["state"] == "cancelled"


def test_order_is_unknown_by_client_id_when_it_is_anothers_or_filled(
    venue: Venue, trader: Trader, other: Trader
) -> None:
    order = trader.place("sell", "100000", "0.02")
    target = f"/v1/orders/by-client-id/{order['client_order_id']}"

    def refusal(one: Trader, path: str) -> tuple[int, str, str]:
        before = venue.status().state_hash
        answer = one.send("DELETE", path)
        assert venue.status().state_hash == before
        return answer.status, answer.code, answer.json["detail"]

    status, code, detail = refusal(other, target)
    assert (status, code) == (404, "unknown_order")
    none = refusal(other, "/v1/orders/by-client-id/none")
    assert none == (404, "unknown_order", detail.replace(order["client_order_id"], "none"))
    other.place("buy", "100000", "0.02")
    assert refusal(trader, target)[:2] == (404, "unknown_order")


def test_fills_of_an_order_are_its_own(trader: Trader, other: Trader) -> None:
    orders = [trader.place("sell", "100000", "0.02")["order_id"] for _ in range(2)]
    for _ in range(3):
        other.place("buy", "100000", "0.01")
    fills(trader, 3)
    counts = [len(trader.get(f"/v1/orders/{order}/fills")["fills"]) for order in orders]
    assert counts == [2, 1]
    page = trader.get(f"/v1/orders/{orders[0]}/fills?limit=1")
    rest = trader.get(f"/v1/orders/{orders[0]}/fills?limit=5&cursor={page['next_cursor']}")
    assert [one["order_id"] for one in page["fills"] + rest["fills"]] == [orders[0]] * 2
    stranger = other.send("GET", f"/v1/orders/{orders[0]}/fills")
    assert (stranger.status, stranger.code) == (404, "unknown_order")
    trader.send("DELETE", "/v1/orders")


def test_orders_and_fills_are_those_of_a_span(trader: Trader, other: Trader) -> None:
    placed = [trader.place("sell", "100000", "0.01") for _ in range(3)]
    other.place("buy", "100000", "0.03")
    fills(trader, 3)
    begin, end = placed[1]["accepted_at"], placed[2]["accepted_at"]

    def orders(**span: str) -> list[str]:
        query = "&".join(f"{name}={value}" for name, value in span.items())
        return [order["order_id"] for order in trader.get(f"/v1/orders?{query}")["orders"]]

    # What is sent is read to the microsecond; the engine's times are finer.
    begin, end = (f"{each[:26]}Z" for each in (begin, end))
    ids = [order["order_id"] for order in placed]
    assert orders(**{"from": begin}) == ids[:0:-1]
    assert orders(**{"from": begin, "to": end}) == [ids[1]]
    assert orders(to=begin) == [ids[0]]
    assert trader.get(f"/v1/fills?to={begin}")["fills"] == []
    assert len(trader.get(f"/v1/fills?from={end}")["fills"]) == 3
    answer = trader.send("GET", "/v1/orders?from=2026-02-30T00:00:00Z")
    assert (answer.status, answer.code) == (400, "parameter_invalid")

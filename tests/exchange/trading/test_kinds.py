"""Every kind of order over the wire, pairs, heartbeat, kill switch: what members send and read."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from matching.protocol.commands import Credit, SetKillSwitch, SetPhase
from matching.protocol.units import Phase
from tests.exchange.conftest import Answer, Trader, Venue
from tests.waiting import wait_until

COPPER, COPPER_ASSET, COPPER_MARKET = "CU-KRW", 6, 5


@pytest.fixture(scope="module")
def pair(venue: Venue) -> tuple[Trader, Trader]:
    """Two members with cash and copper, in which nobody else has an order."""
    traders = (venue.trader(), venue.trader())
    for trader in traders:
        trader.fund(krw=1_000_000_000)
        copper = Credit(trader.account, COPPER_ASSET, 10**9, f"copper:{trader.account}")
        venue.engine.send(copper)
    return traders


@pytest.fixture
def price(venue: Venue, pair: tuple[Trader, Trader]) -> Iterator[Callable[[int], str]]:
    """The price so many won above the last trade; every order is gone before and after."""
    base = int(venue.send("GET", f"/v1/markets/{COPPER}").json["base_price"])
    seller, buyer = pair
    copper(seller, "sell", quantity="0.1", price=str(base))
    copper(buyer, "buy", quantity="0.1", price=str(base))
    yield lambda above: str(base + above)
    for trader in pair:
        assert trader.send("DELETE", "/v1/orders").status == 200


def copper(trader: Trader, side: str, **fields: Any) -> Any:
    answer = copper_send(trader, side, **fields)
    assert answer.status == 201, answer
    return answer.json


def copper_send(trader: Trader, side: str, **fields: Any) -> Answer:
    order = trader.order(side, None, "1.0", instrument=COPPER) | fields
    return trader.send("POST", "/v1/orders", order)


def read(trader: Trader, order: dict[str, Any]) -> Any:
    return trader.get(f"/v1/orders/{order['order_id']}")


def until(trader: Trader, order: dict[str, Any], state: str) -> Any:
    """Return the order once it is recorded in this state."""
    wait_until(lambda: read(trader, order)["state"] == state)
    return read(trader, order)


def book(venue: Venue, side: str) -> list[tuple[str, str]]:
    found = venue.send("GET", f"/v1/markets/{COPPER}/book").json[side]
    return [(level["price"], level["quantity"]) for level in found]


def test_iceberg_shows_a_part_at_a_time(
    venue: Venue, pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    iceberg = copper(seller, "sell", quantity="2.0", price=price(0), display_quantity="0.5")
    assert (iceberg["quantity"], iceberg["display_quantity"]) == ("2.0", "0.5")
    wait_until(lambda: book(venue, "asks") == [(price(0), "0.5")])
    bought = copper(buyer, "buy", quantity="0.7", price=price(0))
    assert (bought["state"], bought["filled_quantity"]) == ("filled", "0.7")
    wait_until(lambda: book(venue, "asks") == [(price(0), "0.3")])


def test_stop_waits_until_the_last_price_reaches_it(
    venue: Venue, pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    stop = copper(seller, "sell", kind="stop", stop_price=price(-3), tag="protect")
    assert (stop["state"], stop["kind"], stop["stop_price"], stop["price"]) == (
        *("waiting", "stop", price(-3)),
        None,
    )
    limited = copper(seller, "sell", kind="stop_limit", stop_price=price(-3), price=price(5))
    wait_until(lambda: trader_open(seller) == {stop["order_id"], limited["order_id"]})
    assert book(venue, "asks") == []
    copper(buyer, "buy", quantity="0.1", price=price(-3))
    copper(buyer, "buy", quantity="5.0", price=price(-4))
    copper(seller, "sell", quantity="0.1", price=price(-3), time_in_force="ioc")
    sold = until(seller, stop, "filled")
    assert (sold["acting_kind"], sold["filled_quantity"], sold["tag"]) == (
        *("market", "1.0", "protect"),
    )
    resting = until(seller, limited, "open")
    assert (resting["kind"], resting["acting_kind"], resting["price"]) == (
        *("stop_limit", "limit", price(5)),
    )


def trader_open(trader: Trader) -> set[str]:
    return {order["order_id"] for order in trader.get("/v1/orders?state=open")["orders"]}


def test_trailing_stop_is_shown_where_it_stands(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    trailing = copper(seller, "sell", kind="trailing_stop", trail="5")
    assert (trailing["trail"], trailing["stop_price"]) == ("5", price(-5))
    copper(seller, "sell", quantity="0.1", price=price(3))
    copper(buyer, "buy", quantity="0.1", price=price(3))
    assert read(seller, trailing)["stop_price"] == price(-2)
    wait_until(lambda: trader_open(seller) == {trailing["order_id"]})
    (listed,) = seller.get("/v1/orders?state=open")["orders"]
    assert listed["stop_price"] == price(-2)


def test_amend_moves_a_stop_and_needs_no_price_where_there_is_no_limit(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, _ = pair
    stop = copper(seller, "sell", kind="stop", stop_price=price(-3))
    target = f"/v1/orders/{stop['order_id']}"
    amended = seller.send("PATCH", target, {"quantity": "2.0", "stop_price": price(-4)})
    assert amended.status == 200, amended
    order = amended.json["order"]
    assert (order["quantity"], order["stop_price"], order["state"]) == (
        *("2.0", price(-4), "waiting"),
    )
    met = seller.send("PATCH", target, {"quantity": "2.0", "stop_price": price(4)})
    assert (met.status, met.code) == (409, "stop_would_trigger")
    limit = copper(seller, "sell", price=price(9))
    bare = seller.send("PATCH", f"/v1/orders/{limit['order_id']}", {"quantity": "2.0"})
    assert (bare.status, bare.code) == (422, "price_invalid")


def test_market_buy_spends_an_amount(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    copper(seller, "sell", quantity="9.0", price=price(0))
    bought = copper(buyer, "buy", quantity=None, kind="market", amount="20000")
    assert (bought["quantity"], bought["amount"]) == (None, "20000.0000")
    spent = float(bought["filled_amount"]) + float(bought["fee"])
    a_lot = int(price(0)) / 10
    assert 20_000 - 1.01 * a_lot < spent <= 20_000
    assert bought["cancel_reason"] == "cash_spent"


def test_best_prices_are_found_on_arrival(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    copper(seller, "sell", quantity="0.2", price=price(2))
    copper(buyer, "buy", price=price(-2))
    top = copper(buyer, "buy", kind="top_priority_limit")
    best = copper(buyer, "buy", kind="best_limit")
    assert (top["price"], best["price"]) == (price(-2), price(2))
    assert (best["filled_quantity"], best["remaining_quantity"]) == ("0.2", "0.8")


def test_midpoint_trades_unseen_between_the_best(
    venue: Venue, pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    copper(seller, "sell", price=price(4))
    copper(buyer, "buy", price=price(-4))
    hidden = copper(seller, "sell", kind="midpoint", price=price(-9))
    wait_until(lambda: book(venue, "asks") == [(price(4), "1.0")])
    copper(buyer, "buy", kind="midpoint", price=price(9))
    until(seller, hidden, "filled")
    (fill,) = seller.get(f"/v1/fills?order_id={hidden['order_id']}")["fills"]
    assert (fill["price"], fill["kind"], fill["liquidity"]) == (price(0), "midpoint", "maker")


def test_orders_live_as_long_as_they_say(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, _ = pair
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    until_then = copper(seller, "sell", price=price(9), expires_at=later)
    assert until_then["time_in_force"] == "gtd"
    assert until_then["expires_at"][:19] == later[:19]
    day = copper(seller, "sell", price=price(9), time_in_force="day")
    assert (day["time_in_force"], day["expires_at"]) == ("day", None)
    passed = copper_send(seller, "sell", price=price(9), expires_at="2026-01-01T00:00:00Z")
    assert (passed.status, passed.code) == (422, "expiry_passed")
    closing = copper_send(seller, "sell", price=price(9), time_in_force="at_the_close")
    assert (closing.status, closing.code) == (409, "not_in_this_phase")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"kind": "stop"}, 400, "malformed"),
        ({"kind": "market", "price": "9000"}, 422, "field_invalid"),
        ({"kind": "stop_limit", "stop_price": "1"}, 422, "price_invalid"),
        ({"kind": "market", "post_only": True}, 400, "malformed"),
        ({"kind": "market", "amount": "5"}, 422, "field_invalid"),
        ({"kind": "market", "amount": "-5", "quantity": None}, 422, "amount_invalid"),
        ({"quantity": None, "kind": "best_limit"}, 422, "field_invalid"),
        ({"kind": "trailing_stop", "trail": "0"}, 422, "price_invalid"),
        ({"kind": "market", "tag": "a b"}, 422, "field_invalid"),
        ({"kind": "market", "tag": "a\n"}, 422, "field_invalid"),
        ({"kind": "market", "display_quantity": "0.05"}, 422, "quantity_invalid"),
        ({"kind": "market", "minimum_quantity": "9.0"}, 400, "malformed"),
    ],
)
def test_terms_that_do_not_go_together_are_refused(
    pair: tuple[Trader, Trader], fields: dict[str, Any], status: int, code: str
) -> None:
    answer = copper_send(pair[0], "buy", **fields)
    assert (answer.status, answer.code) == (status, code)


def test_minimum_is_refused_when_it_cannot_be_had(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    copper(seller, "sell", quantity="0.5", price=price(0))
    terms = {"price": price(0), "minimum_quantity": "0.6"}
    refused = copper_send(buyer, "buy", **terms)
    assert (refused.status, refused.code) == (409, "minimum_unfillable")
    bought = copper(buyer, "buy", **terms | {"minimum_quantity": "0.5"})
    assert (bought["filled_quantity"], bought["remaining_quantity"]) == ("0.5", "0.5")


def pair_body(trader: Trader, price: Callable[[int], str], limit: int = 4) -> dict[str, Any]:
    """Return a wish to sell a kilogram above the market or, when it falls, below it."""
    terms = {"instrument": COPPER}
    return {
        "stop": trader.order("sell", None, "1.0", kind="stop", stop_price=price(-4), **terms),
        "limit": trader.order("sell", price(limit), "1.0", **terms),
    }


def test_pair_ends_when_one_of_it_trades(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    body = pair_body(seller, price)
    placed = seller.send("POST", "/v1/orders/pair", body)
    assert placed.status == 201, placed
    stop, limit = placed.json["stop"], placed.json["limit"]
    assert (stop["state"], limit["state"]) == ("waiting", "open")
    assert limit["pair"] == stop["client_order_id"]
    again = seller.send("POST", "/v1/orders/pair", body)
    assert (again.status, again.json["limit"]["order_id"]) == (200, limit["order_id"])
    copper(buyer, "buy", quantity="0.1", price=price(4))
    assert until(seller, stop, "cancelled")["cancel_reason"] == "paired"
    assert read(seller, limit)["filled_quantity"] == "0.1"


def test_pair_that_trades_at_once_says_so(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    copper(buyer, "buy", price=price(0))
    placed = seller.send("POST", "/v1/orders/pair", pair_body(seller, price, limit=0)).json
    assert (placed["limit"]["state"], placed["stop"]["state"]) == ("filled", "cancelled")
    assert placed["stop"]["cancel_reason"] == "paired"


def test_pair_leaves_nothing_when_either_is_refused(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, _ = pair
    body = pair_body(seller, price)
    body["limit"]["quantity"] = "2.0"
    refused = seller.send("POST", "/v1/orders/pair", body)
    assert (refused.status, refused.code) == (409, "pair_unknown")
    stopped = until_ended(seller, body["stop"]["client_order_id"])
    assert stopped["cancel_reason"] == "requested"
    body = pair_body(seller, price)
    body["stop"]["stop_price"] = price(4)
    refused = seller.send("POST", "/v1/orders/pair", body)
    assert (refused.status, refused.code) == (409, "stop_would_trigger")
    assert trader_open(seller) == set()
    alone = copper(seller, "sell", kind="stop", stop_price=price(-3))
    body = pair_body(seller, price)
    body["stop"]["client_order_id"] = alone["client_order_id"]
    refused = seller.send("POST", "/v1/orders/pair", body)
    assert (refused.status, refused.code) == (409, "client_order_id_reused")
    wait_until(lambda: trader_open(seller) == {alone["order_id"]})


def until_ended(trader: Trader, client_order_id: str) -> Any:
    target = f"/v1/orders/by-client-id/{client_order_id}"
    wait_until(lambda: trader.get(target)["state"] == "cancelled")
    return trader.get(target)


def test_cancel_all_goes_by_side_and_tag(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, _ = pair
    bid = copper(seller, "buy", price=price(-9), tag="a")
    ask = copper(seller, "sell", price=price(9), tag="a")
    other = copper(seller, "sell", price=price(9), tag="b")
    for query, gone in (("side=buy", bid), ("tag=a", ask), (f"instrument={COPPER}", other)):
        assert seller.send("DELETE", f"/v1/orders?{query}").json["order_ids"] == [gone["order_id"]]


def test_heartbeat_tells_when_it_is_due(pair: tuple[Trader, Trader]) -> None:
    seller, _ = pair
    begun = seller.send("POST", "/v1/orders/heartbeat", {"timeout_s": 60})
    due_at = datetime.fromisoformat(begun.json["due_at"])
    assert timedelta(seconds=50) < due_at - datetime.now(UTC) < timedelta(seconds=70)
    ended = seller.send("POST", "/v1/orders/heartbeat", {"timeout_s": 0})
    assert (ended.status, ended.json["due_at"]) == (200, None)
    long = seller.send("POST", "/v1/orders/heartbeat", {"timeout_s": 86_401})
    assert (long.status, long.code) == (422, "field_invalid")


def test_orders_are_cancelled_when_the_heartbeat_fails(
    pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, _ = pair
    resting = copper(seller, "sell", price=price(9))
    assert seller.send("POST", "/v1/orders/heartbeat", {"timeout_s": 1}).status == 200
    assert until(seller, resting, "cancelled")["cancel_reason"] == "disconnected"


def test_member_stops_itself_and_officers_release_it(
    venue: Venue, price: Callable[[int], str]
) -> None:
    trader = venue.trader().fund(krw=1_000_000)
    assert trader.get("/v1/kill-switch") == {"engaged": False, "changed_at": None}
    resting = copper(trader, "buy", price=price(-9), quantity="0.1")
    stopped = trader.send("POST", "/v1/kill-switch", {"engaged": True})
    assert stopped.json == {"engaged": True, "order_ids": [resting["order_id"]]}
    again = trader.send("POST", "/v1/kill-switch", {"engaged": True})
    assert again.json == {"engaged": True, "order_ids": []}
    refused = copper_send(trader, "buy", price=price(-9), quantity="0.1")
    assert (refused.status, refused.code) == (403, "kill_switch")
    released = trader.send("POST", "/v1/kill-switch", {"engaged": False})
    assert (released.status, released.code) == (422, "field_invalid")
    wait_until(lambda: trader.get("/v1/kill-switch")["engaged"])
    venue.engine.send(SetKillSwitch(trader.account, 0, engaged=False))
    wait_until(lambda: not trader.get("/v1/kill-switch")["engaged"])
    copper(trader, "buy", price=price(-9), quantity="0.1")
    assert trader.send("DELETE", "/v1/orders").status == 200


def test_auction_trades_at_one_price_that_anybody_may_read(
    venue: Venue, pair: tuple[Trader, Trader], price: Callable[[int], str]
) -> None:
    seller, buyer = pair
    target = f"/v1/markets/{COPPER}/auction"
    venue.engine.send(SetPhase(COPPER_MARKET, Phase.VOLATILITY_AUCTION))
    try:
        sold = copper(seller, "sell", price=price(-2))
        copper(buyer, "buy", quantity="3.0", price=price(2))
        wait_until(lambda: book(venue, "bids") == [(price(2), "3.0")])
        assert venue.send("GET", target).json["phase"] == "volatility_auction"
        wait_until(lambda: venue.send("GET", target).json["indicative_price"] == price(2))
        shown = venue.send("GET", target).json
        assert (shown["indicative_quantity"], shown["surplus_quantity"], shown["surplus_side"]) == (
            *("1.0", "2.0", "buy"),
        )
    finally:
        venue.engine.send(SetPhase(COPPER_MARKET, Phase.CONTINUOUS_24H))
    until(seller, sold, "filled")
    wait_until(lambda: venue.send("GET", target).json["phase"] == "continuous_24h")
    ended = venue.send("GET", target).json
    assert (ended["last_price"], ended["last_quantity"]) == (price(2), "1.0")
    assert (ended["indicative_price"], ended["interruption"]) == (None, None)
    (fill,) = seller.get(f"/v1/fills?order_id={sold['order_id']}")["fills"]
    assert (fill["kind"], fill["liquidity"]) == ("auction", "maker")
    (trade,) = venue.send("GET", f"/v1/markets/{COPPER}/trades?limit=1").json["trades"]
    assert (trade["kind"], trade["price"]) == ("auction", price(2))


def test_member_reads_its_fee_tier(pair: tuple[Trader, Trader]) -> None:
    found = pair[0].get("/v1/fees/tier")
    assert (found["tier"], found["volume"]) == (0, "0.0000")
    assert found["next_tier"] == {"tier": 1, "volume": "1000000000"}
    rates = {each["symbol"]: each for each in found["markets"]}
    assert rates[COPPER] == {"symbol": COPPER, "maker_fee_ppm": 100, "taker_fee_ppm": 300}

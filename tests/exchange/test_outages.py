"""What a member sees while a part of the shared venue is gone, and after it came back."""

import json
import signal
from collections.abc import Iterator

import pytest

from exchange.stack import Stack
from matching.protocol.queries import Balances, GetBalances
from tests.exchange.conftest import Answer, Trader, Venue
from tests.waiting import wait_until


@pytest.fixture
def shaken(venue: Venue) -> Iterator[Stack]:
    """The parts, which are all running and have taken in a last command afterwards."""
    yield venue.stack
    venue.trader().fund(krw=1)
    wait_until(lambda: _lags(venue) == {"projector": 0, "marketdata": 0})


def _lags(venue: Venue) -> dict[str, int | None]:
    venue.stack.tend()
    answer = venue.send("GET", "/health")
    followers = answer.json["followers"]
    return {name: followers[name]["lag"] for name in ("projector", "marketdata")}


def post(trader: Trader, body: bytes, header: str | None = None) -> Answer:
    signed = header or trader.sign("POST", "/v1/orders", body)
    headers = {"Authorization": signed, "Content-Type": "application/json"}
    return trader.venue.send("POST", "/v1/orders", body, headers)


def test_nobody_gets_in_while_valkey_is_gone_and_old_nonces_stay_used_after_it(
    shaken: Stack, trader: Trader
) -> None:
    body = json.dumps(trader.order("buy", "95000", "0.01")).encode()
    header = trader.sign("POST", "/v1/orders", body)
    assert post(trader, body, header).status == 201
    shaken.kill("valkey")
    refused = post(trader, body)
    assert (refused.status, refused.code) == (503, "nonce_store_unavailable")
    assert refused.headers["retry-after"] == "1"
    health = trader.venue.send("GET", "/health")
    assert (health.status, health.json["valkey"]) == (503, "unavailable")
    assert trader.venue.send("GET", "/v1/markets/XAU-KRW/book").code == "market_data_unavailable"
    shaken.start("valkey")
    replayed = post(trader, body, header)
    assert (replayed.status, replayed.code) == (401, "nonce_replayed")
    assert post(trader, body).status == 200


def test_order_is_placed_once_when_the_engine_was_gone_in_between(
    shaken: Stack, trader: Trader
) -> None:
    body = json.dumps(trader.order("buy", "95000", "0.01")).encode()
    first = post(trader, body)
    shaken.kill("engine")
    refused = post(trader, json.dumps(trader.order("buy", "95000", "0.02")).encode())
    assert (refused.status, refused.code) == (503, "engine_unavailable")
    assert "client_order_id" in refused.json["detail"]
    assert refused.headers["retry-after"] == "1"
    assert trader.send("GET", "/v1/balances").code == "engine_unavailable"
    assert trader.venue.send("GET", "/health").json["engine"] is None
    shaken.start("engine")
    again = post(trader, body)
    assert (again.status, again.json["order_id"]) == (200, first.json["order_id"])
    reply = trader.venue.engine.ask(GetBalances(trader.account))
    assert isinstance(reply, Balances)
    assert {each.asset: each.held_units for each in reply.balances}[1] == 9502850


def test_door_answers_again_when_postgresql_was_restarted(shaken: Stack, trader: Trader) -> None:
    assert trader.send("GET", "/v1/orders").status == 200
    shaken.stop("postgres")
    refused = trader.send("GET", "/v1/orders")
    assert (refused.status, refused.code) == (503, "database_unavailable")
    assert trader.venue.send("GET", "/health").json["database"] == "unavailable"
    shaken.start("postgres")
    wait_until(lambda: trader.send("GET", "/v1/orders").status == 200)


@pytest.mark.parametrize("point", ["projector.before_commit", "projector.after_commit"])
def test_fills_are_recorded_once_when_the_projector_dies_in_between(
    shaken: Stack, venue: Venue, trader: Trader, point: str
) -> None:
    other = venue.trader().fund(krw=100_000_000)
    shaken.stop("projector")
    process = shaken.start("projector", env={"NEXUS_CRASH_POINT": point})
    for _ in range(10):
        trader.place("sell", "100000", "0.01")
        other.place("buy", "100000", "0.01")
    wait_until(lambda: process.returncode is not None)
    assert process.returncode == -signal.SIGKILL
    shaken.start("projector")
    wait_until(lambda: len(trader.get("/v1/fills")["fills"]) == 10, timeout_s=90)
    states = [order["state"] for order in trader.get("/v1/orders")["orders"]]
    assert states == ["filled"] * 10

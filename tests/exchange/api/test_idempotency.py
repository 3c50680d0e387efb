"""`Idempotency-Key`: one order for one key, whatever is sent again, and by whom."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis

from tests.exchange.conftest import Answer, Trader, Venue


def post(trader: Trader, body: Any, idempotency_key: str) -> Answer:
    return trader.send("POST", "/v1/orders", body, headers={"Idempotency-Key": idempotency_key})


def bucket_of(client: "redis.Redis", venue: Venue, given: str) -> str:
    """Return the name of the budget of keys that this key took from."""
    names = list(client.scan_iter(match=f"*:idempotency:*:{given}"))
    owner = names[0].decode().split(":idempotency:")[1].removesuffix(f":{given}")
    bucket = f"nexus:{venue.stack.instance.identity}:budget:idempotency:{owner}"
    assert client.exists(bucket)
    return bucket


def test_answer_is_replayed_when_the_request_comes_again(venue: Venue, trader: Trader) -> None:
    body, given = trader.order("buy", "95000", "0.01"), str(uuid4())
    first = post(trader, body, given)
    before = venue.status().state_hash
    again, quoted = post(trader, body, given), post(trader, body, f'"{given}"')
    assert (first.status, again.status, quoted.status) == (201, 201, 201)
    assert first.body == again.body == quoted.body
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert venue.status().state_hash == before


def test_key_is_refused_when_another_request_used_it(venue: Venue, trader: Trader) -> None:
    given = str(uuid4())
    post(trader, trader.order("buy", "95000", "0.01"), given)
    before = venue.status().state_hash
    other = post(trader, trader.order("buy", "95000", "0.02"), given)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert venue.status().state_hash == before


def test_key_is_each_members_own(venue: Venue, trader: Trader) -> None:
    given, other = str(uuid4()), venue.trader().fund(krw=1_000_000)
    orders = [
        post(one, one.order("buy", "95000", "0.01"), given).json["order_id"]
        for one in (trader, other)
    ]
    assert orders[0] != orders[1]


def test_request_is_carried_out_once_when_ten_come_at_once(venue: Venue, trader: Trader) -> None:
    body, given = trader.order("buy", "95000", "0.01"), str(uuid4())
    before = venue.status().orders
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: post(trader, body, given), range(10)))
    made = [
        one for one in answers if one.status == 201 and "idempotency-replayed" not in one.headers
    ]
    rest = [one for one in answers if one.status == 409]
    assert len(made) == 1
    assert all(one.code == "idempotency_key_in_use" for one in rest)
    assert {one.body for one in answers if one.status == 201} == {made[0].body}
    assert venue.status().orders == before + 1


def test_refused_request_may_be_sent_again_under_its_key(venue: Venue) -> None:
    poor, given = venue.trader(), str(uuid4())
    body = poor.order("buy", "95000", "0.01")
    refused = post(poor, body, given)
    assert (refused.status, refused.code) == (409, "insufficient_balance")
    poor.fund(krw=1_000_000)
    assert post(poor, body, given).status == 201


def test_new_key_is_refused_when_the_budget_of_keys_is_used_up(
    venue: Venue, trader: Trader
) -> None:
    body, given = trader.order("buy", "95000", "0.01"), str(uuid4())
    first = post(trader, body, given)
    with redis.Redis.from_url(venue.stack.urls["REDIS_URL"]) as client:
        bucket = bucket_of(client, venue, given)
        client.set(bucket, 2**52)
        before, fresh = venue.status().state_hash, str(uuid4())
        refused = post(trader, trader.order("buy", "95000", "0.01"), fresh)
        assert not list(client.scan_iter(match=f"*:idempotency:*:{fresh}"))
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert "budget idempotency of 10000 at once" in refused.json["detail"]
    assert refused.headers["ratelimit-limit"] == "10000"
    assert venue.status().state_hash == before
    again = post(trader, body, given)
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")
    trader.place("buy", "95000", "0.01")


def test_key_stays_free_when_the_store_fails_over_its_budget(venue: Venue, trader: Trader) -> None:
    before, given, body = str(uuid4()), str(uuid4()), trader.order("buy", "95000", "0.01")
    post(trader, trader.order("buy", "95000", "0.01"), before)
    with redis.Redis.from_url(venue.stack.urls["REDIS_URL"]) as client:
        bucket = bucket_of(client, venue, before)
        client.delete(bucket)
        client.rpush(bucket, "no number")
        refused = post(trader, body, given)
        client.delete(bucket)
    assert (refused.status, refused.code) == (503, "nonce_store_unavailable")
    made = post(trader, body, given)
    assert (made.status, "idempotency-replayed" in made.headers) == (201, False)


@pytest.mark.parametrize("given", ["", '""', "with blank", "x" * 65, "a,b"])
def test_key_is_refused_when_it_is_none(venue: Venue, trader: Trader, given: str) -> None:
    before = venue.status().state_hash
    answer = post(trader, trader.order("buy", "95000", "0.01"), given)
    assert (answer.status, answer.code) == (400, "idempotency_key_invalid")
    assert venue.status().state_hash == before


def test_kept_answers_cannot_be_read_in_the_store(venue: Venue, trader: Trader) -> None:
    order = post(trader, trader.order("buy", "95000", "0.01"), str(uuid4()))
    with redis.Redis.from_url(venue.stack.urls["REDIS_URL"]) as client:
        kept = [client.get(name) for name in client.scan_iter(match="*:idempotency:*")]
    assert kept and not any(order.json["client_order_id"].encode() in one for one in kept if one)
    assert json.loads(order.body)["client_order_id"]

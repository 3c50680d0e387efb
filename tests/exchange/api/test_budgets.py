"""Budgets: what is left is told, what is above is refused, and each is on its own."""

import asyncio
from typing import Any

import pytest
import redis

from exchange.api import valkey as venue_valkey
from exchange.api.budgets import Budget, Repeated, Standing, Take, budgets_take
from exchange.api.errors import DoorCode, Problem
from exchange.api.valkey import key
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until


@pytest.fixture
def figures(settings: Any, valkey: redis.Redis) -> Any:
    """An empty Valkey, and the budgets of the settings, which a test may set."""
    venue_valkey.valkey.cache_clear()
    settings.RATE_BUDGETS = dict(settings.RATE_BUDGETS)
    return settings.RATE_BUDGETS


def taken(*takes: Take) -> list[Standing | Exception]:
    """Take requests of one moment."""
    return asyncio.run(budgets_take(takes))


def budget_take(budget: Budget, owner: str, nonce: str = "", nonce_kept_s: int = 0) -> Standing:
    """Take one request, alone."""
    (left,) = taken(Take(budget, owner, nonce, nonce_kept_s))
    if isinstance(left, Exception):
        raise left
    return left


def test_one_moment_takes_in_order_and_a_nonce_once(figures: Any) -> None:
    figures["order"] = (1, 60, 2)
    one = Take(Budget.ORDER, "1", key("nonce", "NX1", "a" * 16), 60)
    other = Take(Budget.ORDER, "1")
    first, again, second, third = taken(one, one, other, other)
    assert isinstance(first, Standing) and first.remaining == 1
    assert isinstance(again, Repeated)
    assert isinstance(second, Standing) and second.remaining == 0
    assert isinstance(third, Problem) and third.code == DoorCode.RATE_LIMITED


def test_budget_is_refused_when_its_burst_is_used_up(figures: Any) -> None:
    figures["order"] = (1, 60, 3)
    left = [budget_take(Budget.ORDER, "1") for _ in range(3)]
    assert [(one.limit, one.remaining) for one in left] == [(3, 2), (3, 1), (3, 0)]
    assert [one.reset_s for one in left] == [60, 120, 180]
    with pytest.raises(Problem) as refused:
        budget_take(Budget.ORDER, "1")
    assert refused.value.code == DoorCode.RATE_LIMITED
    assert refused.value.headers == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "180",
        "Retry-After": "60",
    }
    assert budget_take(Budget.ORDER, "2").remaining == 2
    assert budget_take(Budget.CANCEL, "1").limit == figures["cancel"][2]


def test_budget_fills_again_with_time(figures: Any) -> None:
    figures["read"] = (20, 1, 1)
    budget_take(Budget.READ, "1")
    with pytest.raises(Problem):
        budget_take(Budget.READ, "1")

    def passed() -> bool:
        try:
            budget_take(Budget.READ, "1")
        except Problem:
            return False
        return True

    wait_until(passed, timeout_s=5)


def test_replay_takes_nothing_and_a_refusal_uses_no_nonce(figures: Any) -> None:
    figures["order"] = (1, 60, 2)
    nonce = key("nonce", "NX1", "a" * 16)
    assert budget_take(Budget.ORDER, "1", nonce=nonce, nonce_kept_s=60).remaining == 1
    for _ in range(5):
        with pytest.raises(Repeated):
            budget_take(Budget.ORDER, "1", nonce=nonce, nonce_kept_s=60)
    assert budget_take(Budget.ORDER, "1").remaining == 0
    fresh = key("nonce", "NX1", "b" * 16)
    with pytest.raises(Problem):
        budget_take(Budget.ORDER, "1", nonce=fresh, nonce_kept_s=60)
    assert budget_take(Budget.ORDER, "2", nonce=fresh, nonce_kept_s=60).remaining == 1


def test_nobody_is_locked_out_when_the_clock_was_set_back(
    figures: Any, valkey: redis.Redis
) -> None:
    figures["order"] = (1, 1, 2)
    valkey.set(key("budget", "order", "1"), 2**52)
    with pytest.raises(Problem) as refused:
        budget_take(Budget.ORDER, "1")
    assert int(refused.value.headers["Retry-After"]) == 1


def test_cancels_pass_when_orders_are_limited(venue: Venue, trader: Trader) -> None:
    order = trader.place("buy", "95000", "0.01")
    bucket = f"nexus:{venue.stack.instance.identity}:budget:order:{trader.account}"
    with redis.Redis.from_url(venue.stack.urls["REDIS_URL"]) as client:
        client.set(bucket, 2**52)
    refused = trader.send("POST", "/v1/orders", trader.order("buy", "95000", "0.01"))
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["ratelimit-remaining"] == "0"
    cancelled = trader.send("DELETE", f"/v1/orders/{order['order_id']}")
    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert int(cancelled.headers["ratelimit-limit"]) == 1_000
    assert trader.send("GET", "/v1/fills").status == 200

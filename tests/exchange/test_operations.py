"""Health and metrics of the shared venue: who may look, what is named, what is counted."""

import time
from pathlib import Path

import pytest
import redis
from django.test import RequestFactory
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from exchange.operations.access import operator_admitted
from exchange.settings.tasks import SWEEPS
from matching.client.heartbeat import ALIVE_S
from tests.conftest import StackFactory
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until

Sample = tuple[str, tuple[tuple[str, str], ...]]


def _scrape(venue: Venue) -> dict[Sample, float]:
    answer = venue.send("GET", "/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def _sample(name: str, **labels: str) -> Sample:
    return name, tuple(sorted(labels.items()))


def test_requests_and_refusals_are_counted_once(venue: Venue, trader: Trader) -> None:
    other = venue.trader().fund(krw=100_000_000)
    before = _scrape(venue)
    trader.place("sell", "100000", "0.01")
    trader.place("sell", "100000", "0.01")
    other.place("buy", "100000", "0.02")
    unfunded = venue.trader()
    refused = unfunded.send("POST", "/v1/orders", unfunded.order("sell", "100000", "0.01"))
    assert refused.code == "insufficient_balance"
    after = _scrape(venue)

    def grown(name: str, **labels: str) -> float:
        sample = _sample(name, **labels)
        return after[sample] - before.get(sample, 0)

    posted = {"method": "POST", "route": "v1/orders"}
    assert grown("nexus_http_answers_total", **posted, status="201") == 3
    assert grown("nexus_http_answers_total", **posted, status="409") == 1
    assert grown("nexus_http_request_seconds_count", **posted) == 4
    assert grown("nexus_refusals_total", code="insufficient_balance") == 1
    assert grown("nexus_engine_ack_seconds_count", command="PlaceOrder") == 4
    assert grown("nexus_fills_total") == 2
    assert after[_sample("nexus_engine_sequence")] == venue.status().sequence
    assert after[_sample("nexus_process_up", process="engine")] == 1
    assert after[_sample("nexus_journal_bytes")] > before[_sample("nexus_journal_bytes")] > 0


def test_snapshots_lag_is_shown_as_that_of_other_followers(venue: Venue, trader: Trader) -> None:
    trader.place("sell", "100000", "0.01")
    trader.send("DELETE", "/v1/orders")

    def caught_up() -> bool:
        health = venue.send("GET", "/health").json
        shown = health["followers"]["snapshots"]
        return bool(shown["lag"] == 0 and shown["position"] >= health["engine"]["sequence"] > 0)

    wait_until(caught_up)
    assert _scrape(venue)[_sample("nexus_follower_lag_seconds", follower="snapshots")] < 30


def test_every_metric_is_explained(venue: Venue) -> None:
    explained = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()
    families = text_string_to_metric_families(venue.send("GET", "/metrics").body.decode())
    assert [each.name for each in families if f"`{each.name}`" not in explained] == []


def test_inside_is_hidden_from_whoever_comes_through_a_proxy(venue: Venue) -> None:
    for address in ("/health", "/metrics"):
        assert venue.send("GET", address).status in (200, 503)
        passed_on = venue.send("GET", address, headers={"X-Forwarded-For": "203.0.113.9"})
        assert (passed_on.status, passed_on.code) == (404, "not_found")
    summary = venue.send("GET", "/v1/health", headers={"X-Forwarded-For": "203.0.113.9"})
    assert set(summary.json) == {"status", "causes"}


@pytest.mark.parametrize(
    ("address", "sent", "admitted"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("10.0.0.7", "", False),
        ("10.0.0.7", "Bearer monitor", True),
        ("10.0.0.7", "Bearer monitors", False),
        ("", "", False),
    ],
)
def test_operator_is_this_host_or_holds_the_token(
    settings: Settings, address: str, sent: str, admitted: bool
) -> None:
    settings.OPERATOR_TOKEN = "monitor"
    request = RequestFactory().get("/health", REMOTE_ADDR=address, HTTP_AUTHORIZATION=sent)
    assert operator_admitted(request) is admitted


def test_nobody_holds_the_token_when_there_is_none(settings: Settings) -> None:
    settings.OPERATOR_TOKEN = ""
    request = RequestFactory().get("/health", REMOTE_ADDR="10.0.0.7", HTTP_AUTHORIZATION="Bearer ")
    assert operator_admitted(request) is False


def test_killed_process_and_its_lag_are_named_until_it_is_back(
    venue: Venue, trader: Trader
) -> None:
    venue.stack.tend()
    wait_until(lambda: venue.send("GET", "/health").status == 200)
    venue.stack.kill("projector")
    trader.place("sell", "100000", "0.01")
    trader.send("DELETE", "/v1/orders")  # what rests would trade with other tests' orders

    def named() -> bool:
        causes = venue.send("GET", "/health").json["causes"]
        return "process:projector" in [cause["part"] for cause in causes]

    wait_until(named, timeout_s=2 * ALIVE_S)
    health = venue.send("GET", "/health")
    assert health.status == 503
    assert health.json["processes"]["projector"] == "unavailable"
    assert health.json["processes"]["marketdata"] == "ok"
    lagging = health.json["followers"]["projector"]
    assert (lagging["lag"] > 0, 0 < lagging["lag_s"] < 600) == (True, True)
    assert "process:projector" in venue.send("GET", "/v1/health").json["causes"]
    venue.stack.start("projector")
    wait_until(lambda: venue.send("GET", "/health").status == 200)
    followers = ("GET", "/health")
    wait_until(lambda: venue.send(*followers).json["followers"]["projector"]["lag"] == 0)


def test_stall_of_one_worker_still_shows_when_the_other_is_started_again(
    new_stack: StackFactory,
) -> None:
    stack = new_stack(processes=("venue-worker",), setup=())
    name, hour_ago = f"nexus:{stack.instance.identity}:sweeps", time.time() - 3600
    with redis.Redis.from_url(stack.urls["REDIS_URL"]) as client:

        def begun() -> set[str]:
            ages: dict[bytes, bytes] = client.hgetall(name)
            return {each.decode() for each, at in ages.items() if float(at) > hour_ago}

        taken = {each for each in SWEEPS if each.split(".")[0] in ("venue", "compliance")}
        wait_until(lambda: begun() == taken)
        client.hset(name, mapping=dict.fromkeys(SWEEPS, hour_ago))
        assert begun() == set()
        stack.restart("venue-worker")
        wait_until(lambda: begun() == taken)

"""From an application over REST to the first signed request, and what strangers get."""

import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
import redis

from exchange.stack.instance import REPOSITORY
from tests.exchange.conftest import Answer, Trader, Venue
from tests.exchange.members.test_api_keys import body_of

VALID = {
    "legal_name": "한빛 금속",
    "kind": "organisation",
    "jurisdiction": "KR",
    "email": "desk@example.com",
}


def apply(venue: Venue, body: Any, **headers: str) -> Answer:
    return venue.send(
        "POST", "/v1/members", body_of(body), {"Content-Type": "application/json", **headers}
    )


def ask(venue: Venue, method: str, target: str, secret: str, body: Any = None) -> Answer:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    return venue.send(method, target, b"" if body is None else body_of(body), headers)


def admit(venue: Venue, application_id: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.exchange.admit", application_id],
        env=venue.stack.env,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_applicant_becomes_a_member_and_trades(venue: Venue) -> None:
    made = apply(venue, VALID)
    assert made.status == 201
    application, secret = made.json["application"], made.json["secret"]
    target = f"/v1/members/applications/{application['application_id']}"
    assert made.headers["location"] == target
    shown = {name: application[name] for name in ("state", "label", "account", "key_collected")}
    assert shown == {
        "state": "applied",
        "label": "한빛 금속",
        "account": None,
        "key_collected": False,
    }
    assert ask(venue, "GET", target, secret).json == application
    wish = {"scopes": ["read", "trade", "keys"], "label": "first"}
    early = ask(venue, "POST", f"{target}/key", secret, wish)
    assert (early.status, early.code) == (409, "not_admitted_yet")

    account = admit(venue, application["application_id"])
    admitted = ask(venue, "GET", target, secret).json
    assert (admitted["state"], admitted["account"]) == ("admitted", account)
    collected = ask(venue, "POST", f"{target}/key", secret, wish)
    assert collected.status == 201
    key = collected.json["api_key"]
    assert (key["scopes"], key["label"]) == (["keys", "read", "trade"], "first")
    again = ask(venue, "POST", f"{target}/key", secret, wish)
    assert (again.status, again.code) == (409, "key_already_collected")
    assert ask(venue, "GET", target, secret).json["key_collected"] is True

    trader = Trader(venue, int(account), key["access_key"], collected.json["secret"])
    trader.fund(krw=1_000_000)
    assert trader.place("buy", "95000", "0.01")["state"] == "open"
    trader.send("DELETE", "/v1/orders")


def test_application_is_not_found_when_the_secret_is_anothers(venue: Venue) -> None:
    one, other = (apply(venue, VALID).json for _ in range(2))
    target = f"/v1/members/applications/{one['application']['application_id']}"
    for address in (target, f"/v1/members/applications/{uuid4()}"):
        for secret in (other["secret"], "x", "\xe9" * 43):
            stranger = ask(venue, "GET", address, secret)
            assert (stranger.status, stranger.code) == (404, "not_found")
        stranger = ask(venue, "POST", f"{address}/key", other["secret"], {"scopes": ["read"]})
        assert (stranger.status, stranger.code) == (404, "not_found")
    assert venue.send("GET", target).code == "authentication_missing"


@pytest.mark.parametrize(
    "change",
    [
        {"legal_name": ""},
        {"legal_name": " "},
        {"legal_name": "a\x00b"},
        {"legal_name": "\ud800"},
        {"kind": "robot"},
        {"jurisdiction": "kr"},
        {"jurisdiction": "KOR"},
        {"email": "nobody"},
        {"email": "a@b\nc.example"},
        {"label": "x" * 65},
        {"holder": 1},
    ],
)
def test_application_is_refused_when_a_field_is_wrong(venue: Venue, change: dict[str, Any]) -> None:
    answer = apply(venue, VALID | change)
    assert (answer.status, answer.code) == (422, "field_invalid")


def test_application_is_made_once_under_an_idempotency_key(venue: Venue) -> None:
    given = {"Idempotency-Key": str(uuid4())}
    first, again = (apply(venue, VALID, **given) for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json


def test_applications_are_limited_by_address(venue: Venue) -> None:
    bucket = f"nexus:{venue.stack.instance.identity}:budget:sign_up:127.0.0.1"
    with redis.Redis.from_url(venue.stack.urls["REDIS_URL"]) as client:
        client.set(bucket, 2**52)
        try:
            answer = apply(venue, VALID)
            assert (answer.status, answer.code) == (429, "rate_limited")
            assert answer.headers["retry-after"] == "60"
        finally:
            client.delete(bucket)

"""Keys that members make of their own: never more than the key in use, never anybody else's."""

import json
import time
from typing import Any

import pytest
import redis

from exchange.members.authentication import KEY_KEPT_S
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until


def body_of(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def keyholder(venue: Venue) -> Trader:
    """A member whose key may make others that read and trade."""
    return venue.with_key("keys")


def make(trader: Trader, **wish: Any) -> Trader:
    """Return the same member with a fresh key."""
    answer = trader.send("POST", "/v1/api-keys", {"scopes": ["read"]} | wish)
    assert answer.status == 201, answer
    key = answer.json["api_key"]
    return Trader(trader.venue, trader.account, key["access_key"], answer.json["secret"])


def test_key_is_made_listed_used_and_revoked(keyholder: Trader) -> None:
    fresh = make(
        keyholder, label="robot", networks=["127.0.0.0/8"], expires_at="2099-01-01T00:00:00Z"
    )
    assert fresh.send("GET", "/v1/orders").status == 200
    listed = {one["access_key"]: one for one in keyholder.get("/v1/api-keys")["api_keys"]}
    shown = listed[fresh.access_key]
    assert {name: shown[name] for name in ("scopes", "label", "networks", "expires_at")} == {
        "scopes": ["read"],
        "label": "robot",
        "networks": ["127.0.0.0/8"],
        "expires_at": "2099-01-01T00:00:00.000000000Z",
    }
    assert keyholder.access_key in listed
    assert not any("secret" in one for one in listed.values())
    revoked = keyholder.send("DELETE", f"/v1/api-keys/{fresh.access_key}")
    assert (revoked.status, revoked.json["access_key"]) == (200, fresh.access_key)
    at = time.monotonic()
    wait_until(lambda: time.monotonic() - at > KEY_KEPT_S)
    for _ in range(4):  # whichever process answers
        assert fresh.send("GET", "/v1/orders").code == "key_revoked"
    assert fresh.access_key not in str(keyholder.get("/v1/api-keys"))


def test_key_is_refused_when_it_would_be_more_than_the_key_in_use(keyholder: Trader) -> None:
    before = keyholder.get("/v1/api-keys")
    answer = keyholder.send("POST", "/v1/api-keys", {"scopes": ["read", "withdraw"]})
    assert (answer.status, answer.code) == (403, "scope_missing")
    reader = make(keyholder)
    answer = reader.send("POST", "/v1/api-keys", {"scopes": ["read"]})
    assert (answer.status, answer.code) == (403, "scope_missing")
    answer = reader.send("DELETE", f"/v1/api-keys/{keyholder.access_key}")
    assert (answer.status, answer.code) == (403, "scope_missing")
    keyholder.send("DELETE", f"/v1/api-keys/{reader.access_key}")
    assert keyholder.get("/v1/api-keys") == before


def test_key_that_is_bound_makes_keys_bound_within(keyholder: Trader) -> None:
    bound = make(
        keyholder,
        scopes=["read", "keys"],
        networks=["127.0.0.0/8"],
        expires_at="2099-01-01T00:00:00Z",
    )
    wider = ({"networks": ["0.0.0.0/0"]}, {"expires_at": "2099-01-01T00:00:01Z"})
    for wish in wider:
        answer = bound.send("POST", "/v1/api-keys", {"scopes": ["read"]} | wish)
        assert (answer.status, answer.code) == (403, "scope_missing"), answer
    made = bound.send("POST", "/v1/api-keys", {"scopes": ["read"]}).json["api_key"]
    assert made["networks"] == ["127.0.0.0/8"]
    assert made["expires_at"].startswith("2099-01-01T00:00:00")
    narrower = make(bound, networks=["127.0.0.1/32"], expires_at="2098-01-01T00:00:00Z")
    assert narrower.send("GET", "/v1/orders").status == 200
    for key in (narrower.access_key, made["access_key"], bound.access_key):
        keyholder.send("DELETE", f"/v1/api-keys/{key}")


def test_key_of_another_member_is_not_found(venue: Venue, keyholder: Trader) -> None:
    other = venue.trader()
    answer = keyholder.send("DELETE", f"/v1/api-keys/{other.access_key}")
    assert (answer.status, answer.code) == (404, "not_found")
    assert other.send("GET", "/v1/orders").status == 200


@pytest.mark.parametrize(
    "wish",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"networks": ["127.0.0.1/8"]},
        {"networks": ["localhost"]},
        {"networks": ["10.0.0.0/8"] * 21},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2099-13-01T00:00:00Z"},
        {"expires_at": "tomorrow"},
        {"expires_at": "2099-01-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"label": "a\nb"},
        {"secret": "mine"},
    ],
)
def test_key_is_refused_when_a_field_is_wrong(keyholder: Trader, wish: dict[str, Any]) -> None:
    before = keyholder.get("/v1/api-keys")
    answer = keyholder.send("POST", "/v1/api-keys", {"scopes": ["read"]} | wish)
    assert (answer.status, answer.code) == (422, "field_invalid")
    assert keyholder.get("/v1/api-keys") == before


@pytest.mark.parametrize(
    ("networks", "status"),
    [(["127.0.0.1"], 200), (["10.0.0.0/8", "::1/128"], 403), (["10.0.0.0/8", "127.0.0.0/8"], 200)],
)
def test_key_is_refused_from_other_networks_than_its_own(
    keyholder: Trader, networks: list[str], status: int
) -> None:
    bound = make(keyholder, networks=networks)
    answer = bound.send("GET", "/v1/orders", headers={"X-Forwarded-For": "10.0.0.1"})
    assert answer.status == status
    if status != 200:
        assert answer.code == "ip_not_allowed"
    keyholder.send("DELETE", f"/v1/api-keys/{bound.access_key}")


def test_key_that_may_not_be_used_takes_from_its_addresss_budget(
    venue: Venue, keyholder: Trader
) -> None:
    bound = make(keyholder, networks=["10.0.0.0/8"])
    refused = {"ip_not_allowed": bound, "member_inactive": venue.with_key("suspended")}
    bucket = f"nexus:{venue.stack.instance.identity}:budget:public:127.0.0.1"
    with redis.Redis.from_url(venue.stack.urls["REDIS_URL"]) as client:
        for code, trader in refused.items():
            assert trader.send("GET", "/v1/orders").code == code
            client.set(bucket, 2**52)
            try:
                assert trader.send("GET", "/v1/orders").code == "rate_limited"
                assert keyholder.send("GET", "/v1/orders").status == 200
            finally:
                client.delete(bucket)
    keyholder.send("DELETE", f"/v1/api-keys/{bound.access_key}")

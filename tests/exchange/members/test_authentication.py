"""Who is let in: each way a signed request can be wrong, against the real server and Valkey."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from exchange.members.signing import Claims, content_hash, token_build
from tests.exchange.conftest import Answer, Trader, Venue

TARGET = "/v1/orders?limit=1"
QUERY = b"limit=1"


@pytest.fixture(scope="module")
def trader(venue: Venue) -> Trader:
    """One member for all of these tests: a refused request leaves nothing behind."""
    return venue.trader().fund(krw=1_000_000)


def claims_with(trader: Trader, **fields: Any) -> Claims:
    given: dict[str, Any] = {
        "access_key": trader.access_key,
        "nonce": f"nonce-{time.time_ns()}",
        "iat": int(time.time()),
        "method": "GET",
        "path": "/v1/orders",
        "query_hash": content_hash(QUERY),
        "hash_alg": "SHA512",
    }
    return Claims(**(given | fields))


def send(trader: Trader, token: str, target: str = TARGET) -> Answer:
    return trader.venue.send("GET", target, headers={"Authorization": f"Bearer {token}"})


def test_request_is_admitted_when_everything_fits(trader: Trader) -> None:
    assert send(trader, token_build(claims_with(trader), trader.secret)).status == 200


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("stale", {"iat": int(time.time()) - 3600}, "iat_outside_window"),
    ("early", {"iat": int(time.time()) + 3600}, "iat_outside_window"),
    ("beyond all time", {"iat": 2**62}, "iat_outside_window"),
    ("beyond every float", {"iat": 10**400}, "iat_outside_window"),
    ("before every float", {"iat": -(10**400)}, "iat_outside_window"),
    ("another method", {"method": "POST"}, "method_mismatch"),
    ("lower-case method", {"method": "get"}, "method_mismatch"),
    ("another path", {"path": "/v1/fills"}, "path_mismatch"),
    ("path with the query", {"path": TARGET}, "path_mismatch"),
    ("another query", {"query_hash": content_hash(b"limit=2")}, "query_hash_mismatch"),
    ("no query hash", {"query_hash": ""}, "query_hash_mismatch"),
    ("upper-case hash", {"query_hash": content_hash(QUERY).upper()}, "query_hash_mismatch"),
    ("hash of a body", {"body_hash": content_hash(b"{}")}, "body_hash_mismatch"),
    ("another algorithm", {"hash_alg": "SHA256"}, "token_malformed"),
    ("no algorithm", {"hash_alg": ""}, "token_malformed"),
    ("unknown key", {"access_key": "NX0000"}, "access_key_unknown"),
    ("key of another alphabet", {"access_key": "\u2603"}, "access_key_unknown"),
    ("short nonce", {"nonce": "x" * 15}, "token_malformed"),
    ("long nonce", {"nonce": "x" * 65}, "token_malformed"),
    ("nonce with a blank", {"nonce": "x" * 16 + " "}, "token_malformed"),
    ("nonce with a newline", {"nonce": "x" * 16 + "\n"}, "token_malformed"),
]


@pytest.mark.parametrize(
    ("fields", "code"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_request_is_refused_when_a_claim_is_wrong(
    venue: Venue, trader: Trader, fields: dict[str, Any], code: str
) -> None:
    before = venue.status().state_hash
    answer = send(trader, token_build(claims_with(trader, **fields), trader.secret))
    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["www-authenticate"] == f'Bearer error="{code}"'
    assert venue.status().state_hash == before


@pytest.mark.parametrize("seconds", [-59, 58])
def test_request_is_admitted_when_the_clock_is_less_than_a_minute_off(
    trader: Trader, seconds: int
) -> None:
    claims = claims_with(trader, iat=int(time.time()) + seconds)
    assert send(trader, token_build(claims, trader.secret)).status == 200


@pytest.mark.parametrize("seconds", [-62, 62])
def test_request_is_refused_when_the_clock_is_more_than_a_minute_off(
    trader: Trader, seconds: int
) -> None:
    claims = claims_with(trader, iat=int(time.time()) + seconds)
    assert send(trader, token_build(claims, trader.secret)).code == "iat_outside_window"


HEADERS = [
    (b'{"alg":"none","typ":"JWT"}', "algorithm_unsupported"),
    (b'{"alg":"HS512","typ":"JWT"}', "algorithm_unsupported"),
    (b'{"alg":"RS256","typ":"JWT"}', "algorithm_unsupported"),
    (b'{"alg":"hs256","typ":"JWT"}', "algorithm_unsupported"),
    (b'{"alg":"HS256","kid":"../../dev/null"}', "token_malformed"),
    (b'{"alg":"HS256","crit":["exp"]}', "token_malformed"),
    (b'{"typ":"JWT"}', "token_malformed"),
    (b"[]", "token_malformed"),
]


@pytest.mark.parametrize(("header", "code"), HEADERS, ids=[row[0].decode() for row in HEADERS])
def test_token_is_refused_when_its_header_is_another(
    trader: Trader, header: bytes, code: str
) -> None:
    answer = send(trader, token_build(claims_with(trader), trader.secret, header))
    assert (answer.status, answer.code) == (401, code)


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c", "....", "e30.e30.", "e30.e30.e30", "x" * 5_000, "é.é.é"]
)
def test_token_is_refused_when_it_is_none(trader: Trader, token: str) -> None:
    header = f"Bearer {token}".encode()
    answer = trader.venue.send_raw(
        b"GET /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + header + b"\r\n\r\n"
    )
    assert answer.status == 401
    assert answer.code in ("token_malformed", "algorithm_unsupported")


def test_token_is_refused_when_it_carries_another_claim(trader: Trader) -> None:
    document = msgspec.to_builtins(claims_with(trader)) | {"sub": "x"}
    answer = send(trader, token_build(document, trader.secret))
    assert answer.code == "token_malformed"


def test_request_is_refused_when_the_secret_is_another(trader: Trader) -> None:
    for secret in ("", trader.secret[:-1], trader.secret + "A"):
        assert send(trader, token_build(claims_with(trader), secret)).code == "signature_invalid"


def test_request_is_refused_when_the_signature_is_altered(trader: Trader) -> None:
    token = token_build(claims_with(trader), trader.secret)
    other = "A" if token[-10] != "A" else "B"
    answer = send(trader, token[:-10] + other + token[-9:])
    assert answer.code == "signature_invalid"


def test_request_is_refused_when_nobody_signs_it(venue: Venue) -> None:
    assert venue.send("GET", "/v1/orders").code == "authentication_missing"
    basic = {"Authorization": "Basic bWU6bWU="}
    assert venue.send("GET", "/v1/orders", headers=basic).code == "authentication_missing"


def test_body_is_refused_when_it_is_not_the_signed_one(venue: Venue, trader: Trader) -> None:
    signed = json.dumps(trader.order("buy", "95000", "0.01")).encode()
    sent = signed.replace(b'"0.01"', b'"0.02"')
    before = venue.status().state_hash
    answer = venue.send(
        "POST",
        "/v1/orders",
        sent,
        {
            "Authorization": trader.sign("POST", "/v1/orders", signed),
            "Content-Type": "application/json",
        },
    )
    assert (answer.status, answer.code) == (401, "body_hash_mismatch")
    assert venue.status().state_hash == before


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("revoked", 401, "key_revoked"),
        ("expired", 401, "key_expired"),
        ("suspended", 403, "member_inactive"),
        ("trading", 403, "scope_missing"),
    ],
)
def test_key_is_refused_when_it_may_not(venue: Venue, kind: str, status: int, code: str) -> None:
    answer = venue.with_key(kind).send("GET", "/v1/orders")
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("revoked", "key_revoked"), ("expired", "key_expired"), ("suspended", "member_inactive")],
)
def test_no_order_is_placed_when_the_key_may_not(venue: Venue, kind: str, code: str) -> None:
    member = venue.with_key(kind)
    before = venue.status().state_hash
    assert member.send("POST", "/v1/orders", member.order("buy", "95000", "0.01")).code == code
    assert venue.status().state_hash == before


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_no_order_is_placed_when_the_clock_is_an_hour_off(
    venue: Venue, trader: Trader, seconds: int
) -> None:
    body = json.dumps(trader.order("buy", "95000", "0.01")).encode()
    claims = claims_with(
        trader,
        iat=int(time.time()) + seconds,
        method="POST",
        query_hash="",
        body_hash=content_hash(body),
    )
    token = token_build(claims, trader.secret)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    before = venue.status().state_hash
    assert venue.send("POST", "/v1/orders", body, headers).code == "iat_outside_window"
    assert venue.status().state_hash == before


def test_key_is_told_nothing_of_its_state_when_the_secret_is_another(venue: Venue) -> None:
    somebody = venue.with_key("revoked")
    token = token_build(claims_with(somebody), "guess")
    assert send(somebody, token).code == "signature_invalid"


def test_order_is_refused_when_the_key_may_only_read(venue: Venue) -> None:
    reader = venue.with_key("reading")
    before = venue.status().state_hash
    for method, target, body in (
        ("POST", "/v1/orders", reader.order("buy", "95000", "0.01")),
        ("DELETE", "/v1/orders", None),
        ("DELETE", "/v1/orders/1", None),
        ("PATCH", "/v1/orders/1", {"price": "1", "quantity": "1"}),
    ):
        answer = reader.send(method, target, body)
        assert (answer.status, answer.code) == (403, "scope_missing")
    assert venue.status().state_hash == before
    assert reader.send("GET", "/v1/orders").status == 200


def test_nonce_is_refused_when_it_comes_again(venue: Venue, trader: Trader) -> None:
    order = json.dumps(trader.order("buy", "95000", "0.01")).encode()
    headers = {
        "Authorization": trader.sign("POST", "/v1/orders", order),
        "Content-Type": "application/json",
    }
    assert venue.send("POST", "/v1/orders", order, headers).status == 201
    before = venue.status().state_hash
    again = venue.send("POST", "/v1/orders", order, headers)
    assert (again.status, again.code) == (401, "nonce_replayed")
    assert venue.status().state_hash == before


def test_nonce_is_free_when_another_key_used_it(venue: Venue, trader: Trader) -> None:
    nonce = f"shared-{time.time_ns()}"
    for one in (trader, venue.trader()):
        header = {"Authorization": one.sign("GET", "/v1/fills", nonce=nonce)}
        assert venue.send("GET", "/v1/fills", headers=header).status == 200


def test_nonce_is_used_once_when_twenty_come_at_once(trader: Trader) -> None:
    token = token_build(claims_with(trader), trader.secret)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: send(trader, token).status, range(20)))
    assert sorted(answers) == [200] + [401] * 19


def test_nonce_is_not_spent_when_the_request_is_refused_before(trader: Trader) -> None:
    claims = claims_with(trader)
    assert send(trader, token_build(claims, "guess")).code == "signature_invalid"
    assert send(trader, token_build(claims, trader.secret)).status == 200

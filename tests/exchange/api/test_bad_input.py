"""Each bad input is refused with its own code, and leaves the engine's state as it was."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from matching.protocol.commands import SetEligibility, SetPhase
from matching.protocol.units import Phase
from tests.exchange.conftest import Answer, Trader, Venue

Send = Callable[[Trader], Answer]

VALID = {
    "client_order_id": "bad-input-1",
    "instrument": "XAU-KRW",
    "side": "buy",
    "price": "100000",
    "quantity": "1.00",
}


@pytest.fixture
def unchanged(venue: Venue) -> Iterator[None]:
    """Assert that the test changed nothing in the engine."""
    before = venue.status()
    yield
    after = venue.status()
    assert (after.state_hash, after.orders) == (before.state_hash, before.orders)


@pytest.fixture(scope="module")
def rich(venue: Venue) -> Trader:
    """A member whose every valid order would be accepted."""
    return venue.trader().fund(krw=1_000_000_000, xau_mg=1_000_000)


def body_with(**fields: Any) -> bytes:
    """Return a valid order's body but for these fields; a `raw:` string goes in as written."""
    order = {name: value for name, value in (VALID | fields).items() if value is not ...}
    text = json.dumps(order)
    for value in fields.values():
        if isinstance(value, str) and value.startswith("raw:"):
            text = text.replace(json.dumps(value), value.removeprefix("raw:"))
    return text.encode()


FIELDS = [
    ("wrong tick", {"price": "100005"}, 422, "price_invalid"),
    ("too many places of a price", {"price": "100000.0"}, 422, "price_invalid"),
    ("wrong lot", {"instrument": "XAG-KRW", "price": "1000", "quantity": "1.5"}, 422, ...),
    ("too many places of a quantity", {"quantity": "1.005"}, 422, "quantity_invalid"),
    ("size", {"quantity": "5000.01"}, 422, "quantity_too_large"),
    ("above the band", {"price": "110010"}, 422, "price_outside_band"),
    ("below the band", {"price": "89990"}, 422, "price_outside_band"),
    ("unknown instrument", {"instrument": "XXX-KRW"}, 404, "unknown_instrument"),
    ("no instrument", {"instrument": ""}, 404, "unknown_instrument"),
    ("lone surrogate", {"instrument": "\ud800"}, 404, "unknown_instrument"),
    ("no client order id", {"client_order_id": ...}, 422, "field_invalid"),
    ("empty client order id", {"client_order_id": ""}, 422, "field_invalid"),
    ("client order id with a newline", {"client_order_id": "abc\n"}, 422, "field_invalid"),
    ("long client order id", {"client_order_id": "a" * 37}, 422, "field_invalid"),
    ("unknown field", {"leverage": "10"}, 422, "field_invalid"),
    ("unknown side", {"side": "short"}, 422, "field_invalid"),
    ("unknown kind", {"kind": "peg"}, 422, "field_invalid"),
    ("limit without a price", {"price": ...}, 422, "price_invalid"),
    ("market with a price", {"kind": "market"}, 422, "field_invalid"),
    ("post-only that must not rest", {"post_only": True, "time_in_force": "ioc"}, 400, ...),
    ("flag as text", {"post_only": "true"}, 422, "field_invalid"),
]


@pytest.mark.parametrize(
    ("fields", "status", "code"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS]
)
def test_order_is_refused_when_a_field_is_wrong(
    rich: Trader, unchanged: None, fields: dict[str, Any], status: int, code: Any
) -> None:
    answer = rich.send("POST", "/v1/orders", body_with(**fields))
    expected = {"instrument": "quantity_invalid", "post_only": "malformed"}
    assert (answer.status, answer.code) == (
        status,
        expected[next(iter(fields))] if code is ... else code,
    )


NOT_DECIMALS = [
    *("-1", "+1", "0", "0.00", "00", "01", "", " 1", "1 ", "1\n", "1.", ".5", "1e3", "1e999"),
    *("NaN", "nan", "Infinity", "-Infinity", "0x10", "1_000", "1,000", "١", "１", "²"),
    *("9" * 19, "9" * 40, "1" * 10_000, "1.0000000000000000001", "null", "\x00"),
]


@pytest.mark.parametrize("field", ["price", "quantity"])
@pytest.mark.parametrize("text", NOT_DECIMALS, ids=[ascii(text)[:24] for text in NOT_DECIMALS])
def test_order_is_refused_when_a_decimal_is_not_plain(
    rich: Trader, unchanged: None, field: str, text: str
) -> None:
    answer = rich.send("POST", "/v1/orders", body_with(**{field: text}))
    assert answer.status == 422
    assert answer.code == ("field_invalid" if len(text) > 40 else f"{field}_invalid")


NUMBERS = [
    *("-1", "0", "1", "1.5", "1e3", "1e999", "-1e999", "true", "null", "[]", "{}"),
    "9" * 4_000,
]


@pytest.mark.parametrize("number", NUMBERS, ids=[number[:12] for number in NUMBERS])
def test_order_is_refused_when_a_quantity_is_no_string(
    rich: Trader, unchanged: None, number: str
) -> None:
    answer = rich.send("POST", "/v1/orders", body_with(quantity=f"raw:{number}"))
    assert (answer.status, answer.code) == (422, "field_invalid")


BODIES = [
    ("no body", b"", 415, "media_type_unsupported"),
    ("NaN", body_with(quantity="raw:NaN"), 400, "json_invalid"),
    ("Infinity", body_with(quantity="raw:-Infinity"), 400, "json_invalid"),
    ("integer of 5,000 digits", body_with(quantity="raw:" + "9" * 5_000), 400, "json_invalid"),
    ("not JSON", b"side=buy", 400, "json_invalid"),
    ("cut short", body_with()[:-1], 400, "json_invalid"),
    ("two values", body_with() * 2, 400, "json_invalid"),
    ("byte order mark", b"\xef\xbb\xbf" + body_with(), 400, "json_invalid"),
    ("UTF-16", body_with().decode().encode("utf-16"), 400, "json_invalid"),
    ("not UTF-8", b'{"client_order_id":"\xff"}', 400, "json_invalid"),
    ("an array", b"[" + body_with() + b"]", 422, "field_invalid"),
    ("a string", b'"order"', 422, "field_invalid"),
    ("null", b"null", 422, "field_invalid"),
    ("a key twice", body_with()[:-1] + b',"side":"sell"}', 400, "json_duplicate_key"),
    ("a key twice, escaped", body_with()[:-1] + rb',"s\u0069de":"sell"}', 400, ...),
    ("10,000 arrays deep", b"[" * 10_000 + b"]" * 10_000, 400, "json_too_deep"),
    ("10,000 objects deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "json_too_deep"),
    ("10,000 open arrays", b"[" * 10_000, 400, "json_too_deep"),
    ("70,000 bytes", body_with(instrument="X" * 70_000), 413, "body_too_large"),
]


@pytest.mark.parametrize(
    ("body", "status", "code"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_order_is_refused_when_the_body_is_wrong(
    rich: Trader, unchanged: None, body: bytes, status: int, code: Any
) -> None:
    answer = rich.send("POST", "/v1/orders", body)
    assert (answer.status, answer.code) == (status, "json_duplicate_key" if code is ... else code)


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded"],
)
def test_order_is_refused_when_the_media_type_is_another(
    rich: Trader, unchanged: None, media_type: str
) -> None:
    answer = rich.send("POST", "/v1/orders", body_with(), headers={"Content-Type": media_type})
    assert (answer.status, answer.code) == (415, "media_type_unsupported")


def test_body_is_refused_unread_when_it_is_announced_as_huge(rich: Trader, unchanged: None) -> None:
    head = "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Authorization: {rich.sign('POST', '/v1/orders', body_with())}\r\n"
    answer = rich.venue.send_raw(f"{head}Content-Length: 1000000000\r\n\r\n".encode())
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_body_is_refused_when_it_comes_in_chunks(rich: Trader, unchanged: None) -> None:
    head = "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += (
        f"Authorization: {rich.sign('POST', '/v1/orders')}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    body = body_with()
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    answer = rich.venue.send_raw(head.encode() + chunk)
    assert (answer.status, answer.code) == (411, "length_required")


ADDRESSES = [
    ("GET", "/v1/nothing", 404, "not_found"),
    ("GET", "/", 404, "not_found"),
    ("GET", "/v1/orders/", 404, "not_found"),
    ("GET", "/v1/orders/0", 404, "not_found"),
    ("GET", "/v1/orders/-1", 404, "not_found"),
    ("GET", "/v1/orders/1e9", 404, "not_found"),
    ("GET", "/v1/orders/9999999999999999999", 404, "not_found"),
    ("GET", "/v1/orders/999999999999999999", 404, "unknown_order"),
    ("DELETE", "/v1/orders/999999999999999999", 404, "unknown_order"),
    ("GET", "/v1/orders/by-client-id/none-of-mine", 404, "unknown_order"),
    ("GET", "/v1/markets/NONE", 404, "unknown_instrument"),
    ("PUT", "/v1/orders", 405, "method_not_allowed"),
    ("OPTIONS", "/v1/orders", 405, "method_not_allowed"),
    ("POST", "/v1/balances", 405, "method_not_allowed"),
    ("POST", "/v1/time", 405, "method_not_allowed"),
    ("GET", "/v1/orders?limit=0", 400, "parameter_invalid"),
    ("GET", "/v1/orders?limit=201", 400, "parameter_invalid"),
    ("GET", "/v1/orders?limit=1e1", 400, "parameter_invalid"),
    ("GET", "/v1/orders?limit=" + "9" * 300, 400, "parameter_invalid"),
    ("GET", "/v1/orders?cursor=-1", 400, "parameter_invalid"),
    ("GET", "/v1/orders?cursor=1%0a", 400, "parameter_invalid"),
    ("GET", "/v1/orders?state=all", 400, "parameter_invalid"),
    ("GET", "/v1/orders?state=open&state=closed", 400, "parameter_invalid"),
    ("GET", "/v1/orders?account=1", 400, "parameter_invalid"),
    ("GET", "/v1/orders?instrument=NONE", 404, "unknown_instrument"),
    ("DELETE", "/v1/orders?instruments=XAU-KRW", 400, "parameter_invalid"),
    ("DELETE", "/v1/orders?instrument=NONE", 404, "unknown_instrument"),
    ("GET", "/v1/fills?order_id=0", 400, "parameter_invalid"),
    ("GET", "/v1/markets/XAU-KRW/book?depth=501", 400, "parameter_invalid"),
    ("GET", "/v1/markets/XAU-KRW/trades?limit=-1", 400, "parameter_invalid"),
]


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    ADDRESSES,
    ids=[f"{a[0]} {a[1][:40]}" for a in ADDRESSES],
)
def test_request_is_refused_when_the_address_is_wrong(
    rich: Trader, unchanged: None, method: str, target: str, status: int, code: str
) -> None:
    answer = rich.send(method, target)
    assert (answer.status, answer.code) == (status, code)


def test_request_is_refused_when_the_host_is_another(venue: Venue, unchanged: None) -> None:
    answer = venue.send("GET", "/v1/time", headers={"Host": "elsewhere.example"})
    assert (answer.status, answer.code) == (400, "bad_request")


HEADS = [
    ("longest header", b"GET /v1/time HTTP/1.1", b"X-Long: ".ljust(8_188, b"x"), 200),
    ("longer header", b"GET /v1/time HTTP/1.1", b"X-Long: ".ljust(8_189, b"x"), 431),
    ("long address", b"GET /v1/time?" + b"x" * 5_000 + b" HTTP/1.1", b"X-Short: x", 414),
    ("no HTTP", b"GET /v1/time HTTP", b"X-Short: x", 400),
]


@pytest.mark.parametrize(
    ("line", "header", "status"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS]
)
def test_request_is_refused_in_plain_text_when_the_server_cannot_take_it_in(
    venue: Venue, unchanged: None, line: bytes, header: bytes, status: int
) -> None:
    answer = venue.send_raw(line + b"\r\nHost: localhost\r\n" + header + b"\r\n\r\n")
    media_type = "application/json" if status == 200 else "text/plain"
    assert (answer.status, answer.headers["content-type"]) == (status, media_type)


@pytest.mark.parametrize(
    ("phase", "code"), [(Phase.HALTED, "market_halted"), (Phase.CLOSED, "market_closed")]
)
def test_order_is_refused_when_the_market_is_not_open(
    venue: Venue, rich: Trader, phase: Phase, code: str
) -> None:
    venue.engine.send(SetPhase(2, phase))
    try:
        before = venue.status().state_hash
        body = body_with(instrument="XAG-KRW", price="1000", quantity="1")
        answer = rich.send("POST", "/v1/orders", body)
        assert (answer.status, answer.code) == (409, code)
        assert venue.status().state_hash == before
    finally:
        venue.engine.send(SetPhase(2, Phase.CONTINUOUS_24H))


@pytest.mark.parametrize(
    ("classes", "frozen", "code"), [(0, False, "not_eligible"), (1, True, "frozen")]
)
def test_order_is_refused_when_the_member_may_not_trade(
    venue: Venue, classes: int, frozen: bool, code: str
) -> None:
    trader = venue.trader().fund(krw=1_000_000)
    venue.engine.send(SetEligibility(trader.holder, version=9, classes=classes, frozen=frozen))
    before = venue.status().state_hash
    answer = trader.send("POST", "/v1/orders", trader.order("buy", "100000", "0.01"))
    assert (answer.status, answer.code) == (403, code)
    assert venue.status().state_hash == before


def test_order_is_refused_when_the_balance_is_short(venue: Venue, unchanged: None) -> None:
    trader = venue.trader()
    for side in ("buy", "sell"):
        answer = trader.send("POST", "/v1/orders", trader.order(side, "100000", "0.01"))
        assert (answer.status, answer.code) == (409, "insufficient_balance")


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("DELETE", None), ("PATCH", {"price": "95010", "quantity": "1"})],
)
def test_order_is_unknown_when_it_is_anothers(
    venue: Venue, rich: Trader, trader: Trader, method: str, body: Any
) -> None:
    order = trader.place("buy", "95000", "0.01")
    before = venue.status().state_hash
    answer = rich.send(method, f"/v1/orders/{order['order_id']}", body)
    assert (answer.status, answer.code) == (404, "unknown_order")
    own = rich.send("GET", f"/v1/orders/by-client-id/{order['client_order_id']}")
    assert (own.status, own.code) == (404, "unknown_order")
    assert venue.status().state_hash == before
    trader.send("DELETE", f"/v1/orders/{order['order_id']}")


AMENDMENTS = [
    ({"price": "95005", "quantity": "1.00"}, 422, "price_invalid"),
    ({"price": "200000", "quantity": "1.00"}, 422, "price_outside_band"),
    ({"price": "95000", "quantity": "0"}, 422, "quantity_invalid"),
    ({"price": "95000", "quantity": "-1"}, 422, "quantity_invalid"),
    ({"price": "95000", "quantity": "5000.01"}, 422, "quantity_too_large"),
    ({"price": "95000", "quantity": "0.01"}, 409, "unchanged"),
    ({"price": "95000"}, 422, "field_invalid"),
    ({"price": "109990", "quantity": "4999.00"}, 409, "insufficient_balance"),
]


def test_amendment_is_refused_when_it_is_wrong(venue: Venue, trader: Trader) -> None:
    order = trader.place("buy", "95000", "0.01")
    before = venue.status().state_hash
    for body, status, code in AMENDMENTS:
        answer = trader.send("PATCH", f"/v1/orders/{order['order_id']}", body)
        assert (answer.status, answer.code) == (status, code), body
    assert venue.status().state_hash == before
    trader.send("DELETE", f"/v1/orders/{order['order_id']}")

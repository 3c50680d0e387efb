"""Whatever is sent to whichever resource: no fault, and every answer is as the document says."""

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from matching.protocol.commands import SetKillSwitch
from tests.exchange.conftest import Trader, Venue

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# What health asks for is not always all there, and it says so with a 503, as documented.
MAY_BE_UNAVAILABLE = {"get_health"}


class Signed(AuthBase):
    """Signs what is really sent, once it is written out."""

    def __init__(self, trader: Trader) -> None:
        self._trader = trader

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        assert request.method and request.path_url
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        request.headers["Authorization"] = self._trader.sign(request.method, request.path_url, raw)
        return request


def known_put(document: dict[str, Any], order: dict[str, Any]) -> None:
    """Let generated requests name what there is, or nobody would ever get past a 404."""
    markets = ["XAU-KRW", "NONE"]
    known = {
        "symbol": markets,
        "instrument": markets[:1],
        "order_id": [order["order_id"], "1"],
        "client_order_id": [order["client_order_id"], "none"],
        "access_key": ["NX" + "0" * 30],
        "price": ["100000", "95000", "95005"],
        "quantity": ["0.01", "1", "-1"],
        "email": ["desk@example.com", "desk"],
    }

    def enumerated(name: str) -> dict[str, Any]:
        return {"type": "string", "enum": known[name]}

    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in known:
                    parameter["schema"] = enumerated(parameter["name"])
    schemas = document["components"]["schemas"]
    for shape in ("PlaceOrder", "AmendOrder", "Apply"):
        properties = schemas[shape]["properties"]
        properties |= {name: enumerated(name) for name in properties if name in known}
    # Of all terms at once hardly any set is sound: single orders are plain ones, pairs have them.
    order = schemas["EveryTerm"] = schemas["PlaceOrder"]
    names = ("client_order_id", "instrument", "side", "quantity", "price")
    plain = {name: order["properties"][name] for name in names}
    schemas["PlaceOrder"] = order | {"properties": plain, "required": list(names)}
    for name in ("stop", "limit"):
        schemas["PlacePair"]["properties"][name] = {"$ref": "#/components/schemas/EveryTerm"}


def exercise(venue: Venue, *, examples: int) -> Counter[tuple[str, int]]:
    """Send generated requests to every operation; count the answers by operation and status."""
    document = venue.send("GET", "/v1/openapi.json").json
    trader = venue.with_key("every").fund(krw=100_000_000, xau_mg=100_000)
    known_put(document, trader.place("buy", "95000", "0.05"))
    answers: Counter[tuple[str, int]] = Counter()
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        name = operation.definition.raw["operationId"]
        checks = CHECKS[1:] if name in MAY_BE_UNAVAILABLE else CHECKS
        for status in operation_exercise(operation, trader, examples, checks):
            answers[name, status] += 1
        if name == "engage_kill_switch":  # or no order would ever be taken again
            venue.engine.send(SetKillSwitch(trader.account, 0, engaged=False))
    trader.send("DELETE", "/v1/orders")
    return answers


def operation_exercise(
    operation: Any, trader: Trader, examples: int, checks: list[Any]
) -> list[int]:
    """Send generated requests to one operation; return the statuses of the answers."""
    statuses = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        base_url = trader.venue.stack.web_url
        answer = case.call(base_url=base_url, auth=Signed(trader), timeout=20)
        statuses.append(answer.status_code)
        case.validate_response(answer, checks=checks)

    run()
    return statuses


def test_answers_are_as_the_document_says(venue: Venue) -> None:
    answers = exercise(venue, examples=5)
    assert {("list_orders", 200), ("get_book", 200), ("list_candles", 200)} <= set(answers)
    assert {status for name, status in answers if name in MAY_BE_UNAVAILABLE} <= {200, 503}
    assert MAY_BE_UNAVAILABLE <= {name for name, _ in answers}


@pytest.mark.slow
def test_answers_are_as_the_document_says_however_long_one_tries(venue: Venue) -> None:
    answers = exercise(venue, examples=100)
    understood = {name for name, status in answers if status in (200, 201, 409)}
    assert {"place_order", "create_api_key", "apply", "get_statement"} <= understood


def test_every_route_is_described(venue: Venue) -> None:
    paths = venue.send("GET", "/v1/openapi.json").json["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["operationId"] and operation["summary"], f"{method} {path}"
            assert {"4XX", "5XX"} < set(operation["responses"]), f"{method} {path}"

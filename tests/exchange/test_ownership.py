"""Every id that is another's or nobody's, in every route, is answered as if there were nothing.

Routes come from the URL table; a new kind of id that is not known here fails by name.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from exchange.api.views import METHODS, DoorView, PublicView
from exchange.members.api.views import MemberView
from tests.exchange.conftest import Trader, Venue
from tests.exchange.funds.test_door import savers  # noqa: F401  (a fixture)

# A body that would do for each method, were the id one's own.
BODIES: dict[str, Any] = {
    "PATCH orders/<order_id:order_id>": {"price": "95010", "quantity": "0.01"},
    "PATCH orders/by-client-id/<client_order_id:client_order_id>": {
        "price": "95010",
        "quantity": "0.01",
    },
    "POST members/applications/<uuid:application_id>/key": {"scopes": ["read"]},
}
QUERIES = {"GET markets/<str:symbol>/candles": "?interval=1d"}
# In place of any id: unknown, in another case, or nothing that could be one.
NO_IDS = [
    "NONE",
    "xau-krw",
    "0",
    "-1",
    "%00",
    "%2e%2e",
    "..%2f..",
    "%ff",
    "%F0%9F%AA%99",
    "X" * 3000,
]


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in resolver.url_patterns:
        path = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each, path)
        else:
            yield path, each


def routes_with_ids(base: type[DoorView]) -> list[tuple[str, str, str]]:
    """Return (method, path, name of the id) of every route of such views that names something."""
    found = []
    for path, pattern in routes(get_resolver("exchange.urls")):
        view = getattr(pattern.callback, "view_class", None)
        names = list(pattern.pattern.converters)
        if view is None or not issubclass(view, base) or not names:
            continue
        assert len(names) == 1, path
        found += [(each, path, names[0]) for each in METHODS if hasattr(view, each.lower())]
    return found


def target_of(method: str, path: str, given: str) -> tuple[str, Any]:
    """Return where to send a request that names this id, and a body that would do."""
    named = f"{method} {path.removeprefix('v1/')}"
    part = next(part for part in path.split("/") if "<" in part)
    return "/" + path.replace(part, given) + QUERIES.get(named, ""), BODIES.get(named)


@pytest.fixture(scope="module")
def ids(venue: Venue, savers: tuple[Trader, Trader]) -> dict[str, str]:  # noqa: F811
    """One id of each kind, all of members who are not asking.

    The saver's withdrawal is made here and not before: what funds' own tests count is counted then.
    """
    owner = venue.trader().fund(krw=1_000_000)
    order = owner.place("buy", "95000", "0.01")
    withdrawal = withdrawal_of(savers[0])
    return {
        "order_id": order["order_id"],
        "client_order_id": order["client_order_id"],
        "access_key": owner.access_key,
        "withdrawal_id": withdrawal,
        "receipt_id": savers[0].get("/v1/bars")["bars"][0]["receipt_id"],
    }


def withdrawal_of(saver: Trader) -> str:
    wish = {
        "client_reference": "of-somebody",
        "kind": "token",
        "asset": "XAU",
        "amount": "1.000",
        "destination": "0x5B38Da6a701c568545dCfcB03FcB875f56beddC4",
    }
    answer = saver.send("POST", "/v1/withdrawals", wish)
    assert answer.status in (200, 201), answer
    return str(answer.json["withdrawal_id"])


def test_id_of_another_member_is_not_found_in_any_route(venue: Venue, ids: dict[str, str]) -> None:
    stranger, tried = venue.with_key("every"), 0
    before = venue.status().state_hash
    for method, path, name in routes_with_ids(MemberView):
        assert name in ids, f"no id of another member is known for {path}"
        target, body = target_of(method, path, ids[name])
        answer = stranger.send(method, target, body)
        assert answer.status == 404, (method, target, answer)
        assert answer.code in ("not_found", "unknown_order"), (method, target)
        tried += 1
    assert tried >= 8
    assert venue.status().state_hash == before


def application(venue: Venue) -> tuple[str, str]:
    """Return id and secret of a fresh application for membership."""
    sent = {
        "legal_name": "N. N.",
        "kind": "person",
        "jurisdiction": "KR",
        "email": "nn@example.com",
    }
    headers = {"Content-Type": "application/json"}
    answer = venue.send("POST", "/v1/members", json.dumps(sent).encode(), headers)
    assert answer.status == 201, answer
    return answer.json["application"]["application_id"], answer.json["secret"]


def test_unknown_id_is_not_found_in_any_public_route(venue: Venue) -> None:
    (others, _), (own, secret) = application(venue), application(venue)
    unknown = {"symbol": NO_IDS, "application_id": [*NO_IDS, str(uuid4()), others, own.upper()]}
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    before, tried = venue.status().state_hash, set()
    for method, path, name in routes_with_ids(PublicView):
        assert name in unknown, f"no unknown id is known for {path}"
        for given in unknown[name]:
            target, body = target_of(method, path, given)
            answer = venue.send(method, target, json.dumps(body).encode() if body else b"", headers)
            assert answer.status == 404, (method, target, answer)
            assert answer.code in ("not_found", "unknown_instrument"), (method, target)
            tried.add(path)
    assert len(tried) >= 7
    assert venue.status().state_hash == before


def texts(value: object) -> Iterator[str]:
    """Every value in a JSON document, whole: a short id is also part of many a number."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    else:
        yield str(value)


def test_ids_in_lists_and_queries_are_ones_own(venue: Venue, ids: dict[str, str]) -> None:
    stranger = venue.with_key("every")
    lists = ("orders", "fills", "api-keys", "withdrawals", "deposits", "bars", "reserves/bars")
    for target in (f"/v1/{name}" for name in lists):
        found = stranger.send("GET", target)
        assert found.status == 200, found
        assert not set(ids.values()) & set(texts(found.json)), target
    fills = stranger.get(f"/v1/fills?order_id={ids['order_id']}")
    assert fills["fills"] == []

"""A member's money over HTTP: what came in, what goes out, who may ask, and who sees it."""

import csv
import io
import json
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest

from custody.banking import virtual_account_number
from exchange.stack.instance import REPOSITORY
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until

WALLET = "0x5B38Da6a701c568545dCfcB03FcB875f56beddC4"


@pytest.fixture(scope="session")
def savers(venue: Venue) -> tuple[Trader, Trader]:
    """Two members with a trade between them in the ledger, and keys that may withdraw."""
    seller, buyer = (venue.trader().fund(krw=10_000_000, xau_mg=50_000) for _ in (1, 2))
    seller.place("sell", "100000", "2.00")
    buyer.place("buy", "100000", "2.00")
    prepared = subprocess.run(
        [sys.executable, "-m", "tests.exchange.funds.prepare"]
        + [str(trader.account) for trader in (seller, buyer)],
        env=venue.stack.env,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    first, second = (Trader(venue, **key) for key in json.loads(prepared.stdout))
    wait_until(lambda: first.get("/v1/fees")["fees"])
    return first, second


def _wish(**changed: Any) -> dict[str, Any]:
    wish = {
        "client_reference": uuid4().hex,
        "kind": "token",
        "asset": "XAU",
        "amount": "1.250",
        "destination": WALLET,
    }
    return wish | changed


def _name(trader: Trader) -> str:
    answer = trader.venue.stack.manage(
        "shell",
        "-c",
        "from compliance.models import Party; from custody.models import Account;"
        f"print(Party.objects.get(holder=Account.objects.get(pk={trader.account}).holder)"
        ".legal_name)",
    )
    return str(answer.stdout).strip().splitlines()[-1]


def test_history_shows_every_change_with_the_balance_after_it(
    savers: tuple[Trader, Trader],
) -> None:
    seller, _ = savers
    page = seller.get("/v1/balances/history?limit=3")
    rest = seller.get(f"/v1/balances/history?limit=3&cursor={page['next_cursor']}")
    moved = page["movements"] + rest["movements"]
    assert rest["next_cursor"] is None
    assert [(m["asset"], m["kind"], m["amount"], m["balance"]) for m in moved] == [
        ("KRW", "trade", "199980.0000", "10199980.0000"),
        ("XAU", "trade", "-2.000", "48.000"),
        ("XAU", "deposit", "50.000", "50.000"),
        ("KRW", "deposit", "10000000.0000", "10000000.0000"),
    ]
    gold = seller.get("/v1/balances/history?asset=XAU")["movements"]
    assert [(m["amount"], m["balance"]) for m in gold] == [
        ("-2.000", "48.000"),
        ("50.000", "50.000"),
    ]
    assert seller.send("GET", "/v1/balances/history?asset=XXX").code == "parameter_invalid"


def test_fees_and_statement_say_what_the_fills_say(savers: tuple[Trader, Trader]) -> None:
    for trader in savers:
        (fill,) = trader.get("/v1/fills")["fills"]
        (day,) = trader.get("/v1/fees?instrument=XAU-KRW")["fees"]
        assert (day["fills"], day["amount"], day["fee"]) == (1, fill["amount"], fill["fee"])
        statement = trader.get("/v1/statements")
        assert statement["fees"] == [day]
        balances = {b["asset"]: b["available"] for b in trader.get("/v1/balances")["balances"]}
        assert {a["asset"]: a["closing"] for a in statement["assets"]} == balances
        assert all(asset["opening"].strip("0.") == "" for asset in statement["assets"])


def test_statement_comes_as_csv(savers: tuple[Trader, Trader]) -> None:
    seller, _ = savers
    answer = seller.send("GET", "/v1/statements?format=csv")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="statement-')
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    shown = seller.get("/v1/statements")
    assert [row["balance"] for row in rows if row["kind"] == "closing"] == [
        asset["closing"] for asset in shown["assets"]
    ]
    movements = [movement for asset in shown["assets"] for movement in asset["movements"]]
    assert [row["reference"] for row in rows if row["sequence"] and row["amount"]] == [
        movement["reference"] for movement in movements
    ]


@pytest.mark.parametrize(
    ("accept", "query", "answered"),
    [
        ("text/csv", "", "text/csv; charset=utf-8"),
        ("application/json", "", "application/json"),
        ("*/*", "", "application/json"),
        ("application/json;q=0.5, text/*", "", "text/csv; charset=utf-8"),
        ("text/csv", "?format=json", "application/json"),
        ("application/pdf", "?format=csv", "text/csv; charset=utf-8"),
    ],
)
def test_statement_comes_in_the_form_that_is_accepted(
    savers: tuple[Trader, Trader], accept: str, query: str, answered: str
) -> None:
    answer = savers[0].send("GET", f"/v1/statements{query}", headers={"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (200, answered)
    assert answer.headers["vary"] == "Accept"


def test_statement_is_refused_in_forms_that_it_does_not_have(
    savers: tuple[Trader, Trader],
) -> None:
    answer = savers[0].send("GET", "/v1/statements", headers={"Accept": "application/pdf"})
    assert (answer.status, answer.code) == (406, "not_acceptable")
    assert "application/json or text/csv" in answer.json["detail"]


@pytest.mark.parametrize(
    "query",
    ["month=2026-13", "month=26-11", "from=2026-11-02&to=2026-11-01", "format=xml", "day=1"],
)
def test_statement_is_refused_for_no_period(savers: tuple[Trader, Trader], query: str) -> None:
    assert savers[0].send("GET", f"/v1/statements?{query}").code == "parameter_invalid"


def test_instructions_name_the_members_own_number_and_address(
    savers: tuple[Trader, Trader],
) -> None:
    for trader in savers:
        shown = trader.get("/v1/deposits/instructions")
        number = virtual_account_number(trader.account)
        cash = {"asset": "KRW", "bank": "hana", "number": number, "minimum": "1000"}
        assert shown["cash"] == cash
        assert {one["address"] for one in shown["tokens"]} == {f"0x{trader.account:040x}"}
        assert "XAU" in {one["asset"] for one in shown["tokens"]}
        nothing: dict[str, Any] = {"deposits": [], "next_cursor": None}
        assert trader.get("/v1/deposits") == nothing
        assert trader.get("/v1/deposits?cursor=99999999999999999.0.N:1") == nothing


def test_bars_are_those_of_the_member_alone(savers: tuple[Trader, Trader]) -> None:
    for trader in savers:
        first = trader.get("/v1/bars?limit=2")
        rest = trader.get(f"/v1/bars?limit=2&cursor={first['next_cursor']}")
        assert rest["next_cursor"] is None
        bars = first["bars"] + rest["bars"]
        assert [bar["serial"] for bar in bars] == [f"{trader.account}-{n}" for n in (2, 1, 0)]
        assert len({bar.pop("receipt_id") for bar in bars}) == 1
        assert bars[0].pop("received_at").endswith("Z")
        assert bars[0] == {
            "asset": "XAU",
            "refiner": "LS-MnM",
            "serial": f"{trader.account}-2",
            "year": 2026,
            "vault": f"vault-{trader.account}",
            "auditor": f"auditor-{trader.account}",
            "gross_weight": "1.001",
            "fine_weight": "1.000",
            "fineness": "999.900",
            "state": "received",
            "withdrawal_id": None,
            "released_at": None,
        }
        for narrowed in ("asset=KRW", "state=stored"):
            assert trader.get(f"/v1/bars?{narrowed}") == {"bars": [], "next_cursor": None}
        assert len(trader.get("/v1/bars?asset=XAU&state=received")["bars"]) == 3


def test_bars_without_tokens_are_no_reserve(venue: Venue, savers: tuple[Trader, Trader]) -> None:
    for query in ("", "?asset=XAU&state=stored&limit=1"):
        answer = venue.send("GET", f"/v1/reserves/bars{query}")
        assert (answer.status, answer.json) == (200, {"bars": [], "next_cursor": None})
    for query in ("state=received", "account=1000", "asset=XXX"):
        assert venue.send("GET", f"/v1/reserves/bars?{query}").code == "parameter_invalid"


@pytest.mark.parametrize(
    "page",
    [
        "bars?state=gone",
        "bars?cursor=0",
        "deposits?cursor=1",
        "deposits?cursor=1.3.1",
        "deposits?cursor=1.1.x",
        "deposits?cursor=1.2.",
        "deposits?cursor=100000000000000000.1.1",
        "deposits?limit=0",
        "withdrawals?cursor=1",
        "withdrawals?cursor=1.2",
        "withdrawals?cursor=0.00000000000000000000000000000000",
    ],
)
def test_page_is_refused_when_none_begins_there(savers: tuple[Trader, Trader], page: str) -> None:
    assert savers[0].send("GET", f"/v1/{page}").code == "parameter_invalid"


def test_withdrawal_is_requested_once_read_and_cancelled(savers: tuple[Trader, Trader]) -> None:
    seller, buyer = savers
    wish = _wish()
    first = seller.send("POST", "/v1/withdrawals", wish)
    assert (first.status, first.json["state"], first.json["amount"]) == (201, "requested", "1.250")
    path = f"/v1/withdrawals/{first.json['withdrawal_id']}"
    assert first.headers["location"] == path
    again = seller.send("POST", "/v1/withdrawals", wish)
    assert (again.status, again.json) == (200, first.json)
    other = seller.send("POST", "/v1/withdrawals", wish | {"amount": "2"})
    assert other.code == "conflict"
    assert seller.get(path) == first.json
    assert seller.get("/v1/withdrawals?asset=XAU&state=requested")["withdrawals"] == [first.json]
    for method, target in (("GET", path), ("POST", f"{path}/cancel")):
        assert buyer.send(method, target).code == "not_found"
    assert seller.get(path)["state"] == "requested"
    for _ in range(2):
        cancelled = seller.send("POST", f"{path}/cancel")
        assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert seller.get("/v1/withdrawals?limit=1")["next_cursor"] is not None
    cursor = seller.get("/v1/withdrawals?limit=1")["next_cursor"]
    assert seller.get(f"/v1/withdrawals?cursor={cursor}")["withdrawals"] == []
    assert buyer.get("/v1/withdrawals")["withdrawals"] == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount": "0"}, "amount_invalid"),
        ({"amount": "-1"}, "amount_invalid"),
        ({"amount": "1e3"}, "amount_invalid"),
        ({"amount": "NaN"}, "amount_invalid"),
        ({"amount": "0.0001"}, "amount_invalid"),
        ({"amount": 1}, "field_invalid"),
        ({"asset": "XXX"}, "field_invalid"),
        ({"asset": "KRW"}, "field_invalid"),
        ({"kind": "gift"}, "field_invalid"),
        ({"destination": WALLET.lower()}, "field_invalid"),
        ({"destination": "0x" + "0" * 40}, "field_invalid"),
        ({"client_reference": "a b"}, "field_invalid"),
        ({"kind": "cash", "asset": "KRW", "destination": "kb:1-1"}, "field_invalid"),
        (
            {"kind": "cash", "asset": "KRW", "amount": "5", "destination": "kb:6-66"},
            "bank_account_unknown",
        ),
        ({"kind": "cash", "asset": "KRW", "amount": "0.5"}, "field_invalid"),
        ({"more": 1}, "field_invalid"),
    ],
)
def test_withdrawal_is_refused_when_it_is_malformed(
    savers: tuple[Trader, Trader], changed: dict[str, Any], code: str
) -> None:
    _, buyer = savers
    assert buyer.send("POST", "/v1/withdrawals", _wish(**changed)).code == code
    assert buyer.get("/v1/withdrawals")["withdrawals"] == []


def test_limits_of_the_day_are_shown(savers: tuple[Trader, Trader]) -> None:
    seller, _ = savers
    terms = ("--action", "withdraw", "--asset", "XAU", "--units", "10000")
    seller.venue.stack.manage("limit_set", *terms)
    shown = seller.get("/v1/limits")
    assert shown["limits"] == [
        {
            "action": "withdraw",
            "asset": "XAU",
            "limit": "10.000",
            "used": "0.000",
            "remaining": "10.000",
        }
    ]
    assert shown["ends_at"].endswith("T15:00:00.000000000Z")  # midnight in Seoul


def test_withdrawal_needs_a_key_with_its_scope(venue: Venue, savers: tuple[Trader, Trader]) -> None:
    reader = venue.with_key("trading")
    for target in ("/v1/withdrawals", "/v1/bank-accounts", f"/v1/withdrawals/{uuid4()}/cancel"):
        assert reader.send("POST", target, _wish()).code == "scope_missing"


def test_bank_account_is_registered_in_the_members_own_name(
    savers: tuple[Trader, Trader],
) -> None:
    seller, buyer = savers
    body = {"bank": "kb", "number": "110-222-333", "holder_name": _name(seller).upper()}
    made = seller.send("POST", "/v1/bank-accounts", body)
    assert (made.status, made.json["destination"]) == (201, "kb:110-222-333")
    for name in (body["holder_name"], body["holder_name"].replace(" ", "").lower()):
        again = seller.send("POST", "/v1/bank-accounts", body | {"holder_name": name})
        assert (again.status, again.json) == (200, made.json)
    other = seller.send("POST", "/v1/bank-accounts", body | {"holder_name": "Lee Min-ho"})
    assert (other.status, other.code) == (422, "name_differs")
    assert seller.get("/v1/bank-accounts")["bank_accounts"] == [made.json]
    assert buyer.send("POST", "/v1/bank-accounts", body).code == "name_differs"
    assert buyer.get("/v1/bank-accounts")["bank_accounts"] == []
    wish = _wish(kind="cash", asset="KRW", amount="50000", destination="kb:110-222-333")
    assert buyer.send("POST", "/v1/withdrawals", wish).code == "bank_account_unknown"
    asked = seller.send("POST", "/v1/withdrawals", wish)
    assert (asked.status, asked.json["amount"]) == (201, "50000.0000")

"""Money from a bank and back to it, through every body; after each step all books agree."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from custody.sandbox.bank import Bank
from exchange.demo.trader import Trader
from tests.e2e.house import House
from tests.e2e.office import Office
from tests.waiting import wait_until

KRW, WON = 1, 10_000
NAME = "Eun Haneul"
OPEN = "kb:110-555"
TIMEOUT_S = 90


class Counter:
    """A bank of its own, and a member whose number is there."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.office, self.folder = house, Office(house.stack, folder), folder
        # The first bank by name holds the money of members who are admitted from now on.
        self.swept = 0
        self.bank = Bank.found(folder / "bank", f"a-{folder.name}", house.stack.instance.identity)
        self.office.run(
            *("evidence_key_create", "--name", self.bank.name, "--kind", "bank"),
            *("--public-key", self.bank.public_key),
        )
        orders_key = Path(house.stack.env["NEXUS_KEYS"]) / "custody.payments.pub"
        self.bank.trust(bytes.fromhex(orders_key.read_text().strip()))
        (self.trader,) = House.peopled(house.stack, NAME).traders
        made = self.office.run(
            *("api_key_create", "--account", str(self.trader.account)),
            *("--scope", "read", "--scope", "withdraw"),
        )
        keys = {name: made[name] for name in ("access_key", "secret")}
        self.saver = Trader(self.trader.base_url, self.trader.label, self.trader.account, **keys)
        for (halt,) in house.query("SELECT id FROM custody_withdrawalhalt WHERE lifted_at IS NULL"):
            first, second = (self.office.officer(f"{role}-{halt}", "custody") for role in "ab")
            self.office.decide(first, second, "custody.withdrawals_resume", {"halt": halt})

    def get(self, target: str, **query: str) -> Any:
        answer = self.saver.send("GET", target, query=query)
        assert answer.status == 200, answer.document
        return answer.document

    def post(self, target: str, body: dict[str, Any]) -> Any:
        answer = self.saver.send("POST", target, body)
        assert answer.status == 201, answer.document
        return answer.document

    def file(self, command: str, document: str) -> Any:
        """Give a command a document in a file; return what it printed."""
        path = self.folder / f"{uuid4().hex}.json"
        path.write_text(document)
        return self.office.run(command, str(path))

    def pay_in(self, payer: str, amount: int) -> str:
        number = self.get("/v1/deposits/instructions")["cash"]["number"]
        notice = self.bank.deposit(
            number=number, payer=payer, source="kb:110-1", currency="KRW", amount=amount
        )
        return str(self.file("bank_notice_receive", notice)["state"])

    def withdraw(self, amount: int, destination: str = "kb:110-222-333") -> str:
        asked = {
            "client_reference": uuid4().hex,
            "kind": "cash",
            "asset": "KRW",
            "amount": str(amount),
            "destination": destination,
        }
        return str(self.post("/v1/withdrawals", asked)["withdrawal_id"])

    def answered(self, withdrawal: str) -> None:
        """Wait for the signed order, and bring it to the bank and its answer back."""
        wait_until(lambda: self._ordered(withdrawal), timeout_s=TIMEOUT_S)
        payments = self.office.run("payment_orders_send")["payments"]
        answers = [json.loads(self.bank.pay(order)) for order in payments]
        self.swept += sum(
            int(each["amount"]) for each in payments if each["order_id"] != withdrawal
        )
        self.file("payment_answers_receive", json.dumps({"answers": answers}))

    def banked(self) -> int:
        """Return what the bank holds, and what the venue paid itself out of it meanwhile."""
        return int(json.loads(self.bank.balance("KRW"))["amount"]) + self.swept

    def _ordered(self, withdrawal: str) -> bool:
        self.house.stack.tend()
        return bool(
            self.house.query(
                "SELECT 1 FROM custody_paymentorder WHERE id = %s AND state = 'signed'", withdrawal
            )
        )

    def reaches(self, units: int, account: int = 0) -> None:
        """Wait until the engine keeps so many units, and all books agree."""
        wait_until(
            lambda: self.house.units(account or self.trader.account, KRW) == units,
            timeout_s=TIMEOUT_S,
        )
        self.house.agrees()


@pytest.fixture(scope="module")
def counter(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    made = Counter(house, tmp_path_factory.mktemp("cash"))
    yield made
    made.trader.close()
    made.saver.close()


def test_money_comes_from_the_bank_and_goes_back(house: House, counter: Counter) -> None:
    before = house.units(counter.trader.account, KRW)
    assert counter.pay_in("Somebody Else", 1_000) == "review"
    assert counter.pay_in(NAME.upper(), 1_000_000) == "accepted"
    counter.reaches(before + 1_000_000 * WON)
    states = [one["state"] for one in counter.get("/v1/deposits", limit="2")["deposits"]]
    assert sorted(states) == ["credited", "review"]

    bank_account = {"bank": "kb", "number": "110-222-333", "holder_name": NAME}
    counter.post("/v1/bank-accounts", bank_account)
    paid = counter.withdraw(400_000)
    counter.reaches(before + 600_000 * WON)
    counter.answered(paid)
    found = counter.get(f"/v1/withdrawals/{paid}")
    assert found["state"] == "completed"
    assert found["requested_at"] < found["executed_at"] < found["sent_at"] < found["closed_at"]
    house.agrees()
    assert counter.banked() == 601_000

    counter.bank.account_close("kb:110-222-333")
    refused = counter.withdraw(100_000)
    counter.answered(refused)
    found = counter.get(f"/v1/withdrawals/{refused}")
    assert (found["state"], found["reason"]) == ("returned", "bank: account closed")
    counter.reaches(before + 600_000 * WON)
    history = counter.get("/v1/balances/history", asset="KRW", limit="4")["movements"]
    assert [(one["kind"], one["amount"]) for one in history] == [
        ("return", "100000.0000"),
        ("withdrawal", "-100000.0000"),
        ("withdrawal", "-400000.0000"),
        ("deposit", "1000000.0000"),
    ]


def test_revenue_goes_to_the_venues_bank_account(house: House, counter: Counter) -> None:
    (revenue,) = house.query("SELECT id FROM custody_account WHERE kind = 'revenue'")[0]
    seller, buyer = house.traders[:2]
    terms = {"instrument": "XAU-KRW", "price": "190000", "quantity": "1.00"}
    for trader, side in ((seller, "sell"), (buyer, "buy")):
        answer = trader.order(client_order_id=uuid4().hex, side=side, **terms)
        assert answer.status == 201, answer.document
    house.settled()
    taken = house.units(revenue, KRW)
    assert taken >= 76 * WON
    counter.office.run(
        *("bank_account_register", "--bank", "nh", "--number", "301-0000", "--holder", "Nexus")
    )
    sweep = counter.office.run("revenue_sweep")["withdrawal"]["id"]
    counter.reaches(taken % WON, revenue)
    counter.answered(sweep)
    ((state,),) = house.query("SELECT state FROM custody_withdrawal WHERE id = %s", sweep)
    assert state == "completed"
    house.agrees()


def _reaches_state(counter: Counter, withdrawal: str, state: str) -> dict[str, Any]:
    """Wait until a withdrawal is in a state; return it as its member reads it."""
    found: dict[str, Any] = {}

    def reached() -> bool:
        counter.house.stack.tend()
        found.update(counter.get(f"/v1/withdrawals/{withdrawal}"))
        return bool(found["state"] == state)

    wait_until(reached, timeout_s=TIMEOUT_S)
    return found


def _carried(house: House, withdrawal: str) -> list[tuple[Any, ...]]:
    """Return what ever left for a withdrawal: its confirmed burn and its payment order."""
    return house.query(
        "SELECT id FROM custody_custodyintent WHERE id = %s AND state = 'confirmed'"
        " UNION ALL SELECT id FROM custody_paymentorder WHERE id = %s",
        withdrawal,
        withdrawal,
    )


def test_withdrawal_of_a_frozen_member_comes_back_and_goes_once_the_freeze_is_lifted(
    house: House, counter: Counter
) -> None:
    account = counter.trader.account
    counter.post("/v1/bank-accounts", {"bank": "kb", "number": "110-555", "holder_name": NAME})
    before, banked = house.units(account, KRW), counter.banked()
    house.stack.stop("clearing-signer")
    frozen = counter.withdraw(50_000, OPEN)
    _reaches_state(counter, frozen, "held")
    assert house.units(account, KRW) == before - 50_000 * WON
    house.stack.manage("demo_freeze", "--account", str(account))
    house.stack.start("clearing-signer")
    assert _reaches_state(counter, frozen, "returned")["reason"] == "the holder is frozen"
    counter.reaches(before)
    assert _carried(house, frozen) == []

    ((holder,),) = house.query("SELECT holder FROM custody_account WHERE id = %s", account)
    first, second = (counter.office.officer(role, "compliance") for role in ("grace", "henry"))
    counter.office.decide(first, second, "compliance.unfreeze", {"holder": holder})
    let_go = counter.withdraw(50_000, OPEN)
    counter.answered(let_go)
    _reaches_state(counter, let_go, "completed")
    counter.reaches(before - 50_000 * WON)
    assert counter.banked() == banked - 50_000
    assert _carried(house, frozen) == []


def test_withdrawal_that_custody_stops_comes_back_or_goes_as_its_officers_say(
    house: House, counter: Counter
) -> None:
    account = counter.trader.account
    before, banked = house.units(account, KRW), counter.banked()
    (limit,) = [one for one in counter.get("/v1/limits")["limits"] if _withdraws_won(one)]
    counter.office.run("limit_set", "--action", "withdraw", "--asset", "KRW", "--units", "0")
    refused, approved = (counter.withdraw(amount, OPEN) for amount in (20_000, 30_000))
    stopped = "SELECT 1 FROM custody_custodyintent WHERE id = %s AND error LIKE '%%two officers%%'"
    wait_until(
        lambda: all(house.query(stopped, one) for one in (refused, approved)), timeout_s=TIMEOUT_S
    )
    house.agrees()
    first, second = (counter.office.officer(role, "custody") for role in ("carol", "dave"))
    decide = counter.office.decide
    decide(first, second, "custody.withdrawal_return", {"withdrawal": refused})
    payload = {"withdrawal": approved, "account": account, "asset": KRW, "kind": "cash"}
    payload |= {"amount_units": 30_000 * WON, "destination": OPEN}
    decide(first, second, "custody.withdraw", payload)
    _reaches_state(counter, refused, "returned")
    counter.answered(approved)
    _reaches_state(counter, approved, "completed")
    counter.reaches(before - 30_000 * WON)
    assert _carried(house, refused) == []
    assert counter.banked() == banked - 30_000
    units = str(int(limit["limit"].replace(".", "")))
    counter.office.run("limit_set", "--action", "withdraw", "--asset", "KRW", "--units", units)


def _withdraws_won(limit: dict[str, str]) -> bool:
    return (limit["action"], limit["asset"]) == ("withdraw", "KRW")


def test_applicant_is_admitted_by_the_worker_and_pays_in(house: House, counter: Counter) -> None:
    name = f"Min {uuid4().hex[:8]}"
    sent = {"legal_name": name, "kind": "person", "jurisdiction": "KR", "email": "min@example.com"}
    base_url = house.stack.web_url
    made = requests.post(f"{base_url}/v1/members", json=sent, timeout=30)
    assert made.status_code == 201, made.text
    application, bearer = (
        made.json()["application"],
        {"Authorization": f"Bearer {made.json()['secret']}"},
    )
    address = f"{base_url}/v1/members/applications/{application['application_id']}"
    ((holder,),) = house.query(
        "SELECT p.holder FROM members_application a JOIN compliance_party p ON p.id = a.party_id"
        " WHERE a.id = %s",
        application["application_id"],
    )
    first, second = (counter.office.officer(role, "compliance") for role in ("ida", "jan"))
    counter.office.decide(first, second, "compliance.identify", {"holder": holder, "classes": 1})

    def shown() -> dict[str, Any]:
        house.stack.tend()
        return dict(requests.get(address, headers=bearer, timeout=30).json())

    wait_until(lambda: shown()["state"] == "admitted" and shown()["address"], timeout_s=TIMEOUT_S)
    key = requests.post(
        f"{address}/key", json={"scopes": ["read", "withdraw"]}, headers=bearer, timeout=30
    ).json()
    account = int(shown()["account"])
    member = Trader(base_url, name, account, key["api_key"]["access_key"], key["secret"])

    def instructed() -> dict[str, Any]:
        return member.send("GET", "/v1/deposits/instructions").document

    wait_until(lambda: instructed()["cash"] and instructed()["tokens"], timeout_s=TIMEOUT_S)
    assert {one["address"] for one in instructed()["tokens"]} == {shown()["address"]}
    notice = counter.bank.deposit(
        number=instructed()["cash"]["number"],
        payer=name.upper(),
        source="kb:110-9",
        currency="KRW",
        amount=70_000,
    )
    assert counter.file("bank_notice_receive", notice)["state"] == "accepted"
    counter.reaches(70_000 * WON, account)
    (deposit,) = member.send("GET", "/v1/deposits").document["deposits"]
    assert (deposit["state"], deposit["amount"]) == ("credited", "70000.0000")
    member.close()

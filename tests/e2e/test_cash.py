"""Money from a bank and back to it, through every body; after each step all books agree."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from custody.sandbox.bank import Bank
from exchange.demo.trader import Trader
from tests.e2e.house import House
from tests.e2e.office import Office
from tests.waiting import wait_until

KRW, WON = 1, 10_000
NAME = "Eun Haneul"
TIMEOUT_S = 90


class Counter:
    """A bank of its own, and a member whose number is there."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.office, self.folder = house, Office(house.stack, folder), folder
        # The first bank by name holds the money of members who are admitted from now on.
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

    def withdraw(self, amount: int) -> str:
        asked = {
            "client_reference": uuid4().hex,
            "kind": "cash",
            "asset": "KRW",
            "amount": str(amount),
            "destination": "kb:110-222-333",
        }
        return str(self.post("/v1/withdrawals", asked)["withdrawal_id"])

    def answered(self, withdrawal: str) -> None:
        """Wait for the signed order, and bring it to the bank and its answer back."""
        wait_until(lambda: self._ordered(withdrawal), timeout_s=TIMEOUT_S)
        payments = self.office.run("payment_orders_send")["payments"]
        answers = [json.loads(self.bank.pay(order)) for order in payments]
        self.file("payment_answers_receive", json.dumps({"answers": answers}))

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
    assert counter.get(f"/v1/withdrawals/{paid}")["state"] == "completed"
    house.agrees()
    assert json.loads(counter.bank.balance("KRW"))["amount"] == 601_000

    counter.bank.account_close("kb:110-222-333")
    refused = counter.withdraw(100_000)
    counter.answered(refused)
    found = counter.get(f"/v1/withdrawals/{refused}")
    assert (found["state"], found["reason"]) == ("returned", "bank: account closed")
    counter.reaches(before + 600_000 * WON)
    history = counter.get("/v1/balances/history", asset="KRW", limit="4")["movements"]
    assert [one["amount"] for one in history] == [
        "100000.0000",
        "-100000.0000",
        "-400000.0000",
        "1000000.0000",
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

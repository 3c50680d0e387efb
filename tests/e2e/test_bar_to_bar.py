"""A gram of gold from bar to bar, and a hundred hands that reach for one balance.

After each step engine, ledger, chain and vault agree.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from custody.sandbox.vault import Vault
from exchange.demo.trader import Trader
from tests.e2e.house import House
from tests.e2e.office import Office
from tests.e2e.wallet import Wallet
from tests.waiting import wait_until

REVENUE = 2
KRW, XAU = 1, 2
WON, GRAM = 10_000, 1_000
TIMEOUT_S = 180
HANDS = 100
ENDED = {"completed", "executed", "refused", "returned", "cancelled"}


class Custody:
    """Two officers of custody, a vault with its auditor, and members who may withdraw."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.stack = house, house.stack
        self.office = Office(self.stack, folder)
        self.officers = [self.office.officer(role, "custody") for role in ("first", "second")]
        self.folder = folder
        instance = self.stack.instance.identity
        self.vault = Vault.found(folder / "vault", f"v-{folder.name}", f"a-{folder.name}", instance)
        for kind, name in (("vault", f"v-{folder.name}"), ("auditor", f"a-{folder.name}")):
            key = ("--public-key", self.vault.public_key(kind))
            self.office.run("evidence_key_create", "--name", name, "--kind", kind, *key)
        orders_key = Path(self.stack.env["NEXUS_KEYS"]) / "custody.payments.pub"
        self.vault.trust(bytes.fromhex(orders_key.read_text().strip()))
        for (halt,) in house.query("SELECT id FROM custody_withdrawalhalt WHERE lifted_at IS NULL"):
            self.decide("custody.withdrawals_resume", {"halt": halt})

    def decide(self, kind: str, payload: dict[str, Any]) -> None:
        first, second = self.officers
        self.office.decide(first, second, kind, payload)

    def manage_file(self, command: str, document: Any) -> Any:
        """Give a command a document in a file; return what it printed."""
        path = self.folder / f"{command}-{uuid4().hex}.json"
        path.write_text(json.dumps(document))
        return self.office.run(command, str(path))

    def withdrawer(self, trader: Trader) -> Trader:
        """Return the same member with a key that may withdraw."""
        made = self.office.run(
            *("api_key_create", "--account", str(trader.account)),
            *("--scope", "read", "--scope", "withdraw"),
        )
        keys = {name: made[name] for name in ("access_key", "secret")}
        return Trader(trader.base_url, trader.label, trader.account, **keys)

    def limit(self, asset: str, units: int) -> None:
        self.office.run(
            *("limit_set", "--action", "withdraw", "--asset", asset, "--units", str(units))
        )

    def vaults_hold(self) -> int:
        """Return the fine gold in all vaults, as the reconciler counts their signed words."""
        _, report = self.house.reconcile()
        assert report["mismatches"] == []
        return int(self._gold(report)["outside_holdings"])

    def _gold(self, report: dict[str, Any]) -> dict[str, int]:
        return next(row for row in report["assets"] if row["asset"] == XAU)

    def agrees(self, *, vaults: int, outside: int) -> None:
        """Assert that all books agree, and what gold vaults and outside wallets hold."""
        status, report = self.house.reconcile()
        assert (status, report["mismatches"]) == (0, [])
        gold = self._gold(report)
        assert (gold["outside_holdings"], gold["outside_wallets"]) == (vaults, outside)
        assert gold["supply"] <= vaults
        anybody, query = self.house.traders[0], {"asset": "XAU", "limit": "200"}
        reserve = anybody.send("GET", "/v1/reserves/bars", query=query).document
        assert reserve["next_cursor"] is None
        weights = [int(bar["fine_weight"].replace(".", "")) for bar in reserve["bars"]]
        assert sum(weights) == gold["supply"]


@pytest.fixture(scope="module")
def custody(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Custody]:
    yield Custody(house, tmp_path_factory.mktemp("custody"))


def _withdraw(member: Trader, kind: str, amount: str, destination: str) -> str:
    asked = {
        "client_reference": uuid4().hex,
        "kind": kind,
        "asset": "XAU",
        "amount": amount,
        "destination": destination,
    }
    answer = member.send("POST", "/v1/withdrawals", asked)
    assert answer.status == 201, answer.document
    return str(answer.document["withdrawal_id"])


def _state(member: Trader, withdrawal: str) -> str:
    return str(member.send("GET", f"/v1/withdrawals/{withdrawal}").document["state"])


def _reaches(custody: Custody, member: Trader, withdrawal: str, state: str) -> None:
    def reached() -> bool:
        custody.stack.tend()
        now = _state(member, withdrawal)
        assert now == state or now not in ENDED - {"executed"}, now
        return now == state

    wait_until(reached, timeout_s=TIMEOUT_S)


def _credited(custody: Custody, account: int, units: int) -> None:
    def credited() -> bool:
        custody.stack.tend()
        return custody.house.units(account, XAU) == units

    wait_until(credited, timeout_s=TIMEOUT_S)


def test_a_gram_of_gold_goes_from_bar_to_bar(house: House, custody: Custody) -> None:
    seller, buyer = house.traders[:2]
    held = {one.account: house.units(one.account, XAU) for one in (seller, buyer)}
    house.settled()
    vaults = custody.vaults_hold()
    ((outside,),) = house.query(
        "SELECT coalesce(sum(amount_units), 0) FROM custody_withdrawal"
        " WHERE kind = 'token' AND state = 'completed' AND asset_id = %s",
        XAU,
    )
    outside = int(outside)

    bar = {"refiner": "LS-MnM", "serial": uuid4().hex[:8], "year": 2026, "fineness_ppm": 999_900}
    bar |= {"gross_units": GRAM + 1, "fine_units": GRAM}
    receipt = custody.vault.store(account=seller.account, asset="XAU", bars=[bar])
    custody.manage_file("vault_receipt_receive", custody.vault.audit(receipt))
    vaults += GRAM
    custody.agrees(vaults=vaults, outside=outside)

    mint = {"evidence_kind": "vault_receipt", "evidence_id": receipt["receipt_id"]}
    mint |= {"account": seller.account, "asset": XAU, "amount_units": GRAM}
    custody.decide("custody.mint", mint)
    _credited(custody, seller.account, held[seller.account] + GRAM)
    custody.agrees(vaults=vaults, outside=outside)

    terms = {"instrument": "XAU-KRW", "price": "190000", "quantity": "1.00"}
    assert seller.order(client_order_id=uuid4().hex, side="sell", **terms).status == 201
    bought = buyer.order(client_order_id=uuid4().hex, side="buy", **terms)
    assert bought.document["state"] == "filled"
    house.settled()
    custody.agrees(vaults=vaults, outside=outside)

    member, wallet = custody.withdrawer(buyer), Wallet(house)
    listed = member.send("GET", "/v1/deposits/instructions").document["tokens"]
    gold = next(one for one in listed if one["asset"] == "XAU")
    withdrawn = _withdraw(member, "token", "1.000", wallet.address)
    _reaches(custody, member, withdrawn, "completed")
    assert wallet.units(gold["token"]) == GRAM
    custody.agrees(vaults=vaults, outside=outside + GRAM)

    wallet.forge(wallet.address, gold["address"], GRAM)
    wallet.transfer(gold["token"], gold["address"], GRAM)
    _credited(custody, buyer.account, held[buyer.account] + GRAM)
    house.query("UPDATE settlement_depositposition SET block_number = 0")
    custody.agrees(vaults=vaults, outside=outside)
    rows = house.query(
        "SELECT amount_units FROM custody_tokendeposit WHERE account_id = %s", buyer.account
    )
    assert [int(units) for (units,) in rows] == [GRAM]
    assert house.units(buyer.account, XAU) == held[buyer.account] + GRAM

    won, revenue = house.units(buyer.account, KRW), house.units(REVENUE, KRW)
    name = f"{bar['refiner']}/{bar['serial']}/{bar['year']}"
    redeemed = _withdraw(member, "bar", "1.000", f"{name}@{uuid4().hex}")
    _reaches(custody, member, redeemed, "executed")
    custody.agrees(vaults=vaults, outside=outside)
    _released(custody)
    assert (_state(member, redeemed), custody.vault.shelf()) == ("completed", {})
    custody.agrees(vaults=vaults - GRAM, outside=outside)
    assert house.units(buyer.account, XAU) == held[buyer.account]
    for one, roles in ((seller, (receipt["receipt_id"], None)), (member, (None, redeemed))):
        shown = one.send("GET", "/v1/bars", query={"limit": "1"}).document["bars"][0]
        assert (shown["serial"], shown["state"]) == (bar["serial"], "released")
        assert (shown["receipt_id"], shown["withdrawal_id"]) == roles
    # The gram last traded at 190,000 won: a bar's fee, and a tenth of the value.
    assert house.units(buyer.account, KRW) == won - (22_000 + 19_000) * WON
    wait_until(lambda: house.units(REVENUE, KRW) > revenue, timeout_s=TIMEOUT_S)
    custody.agrees(vaults=vaults - GRAM, outside=outside)
    _charged(member, redeemed)


def _released(custody: Custody) -> None:
    """Wait for custody's signed orders, and bring them to the vault and its word back."""
    orders: list[Any] = []

    def ordered() -> bool:
        orders[:] = custody.office.run("release_orders_send")["releases"]
        return bool(orders)

    wait_until(ordered, timeout_s=TIMEOUT_S)
    released = {"releases": [custody.vault.release(order) for order in orders]}
    custody.manage_file("vault_releases_receive", released)


def _charged(member: Trader, withdrawal: str) -> None:
    """Assert that a gram's bar, fee and VAT are what the member paid last."""
    (cost,) = member.send("GET", "/v1/fees").document["withdrawals"]
    assert (cost["withdrawal_id"], cost["fee"]) == (withdrawal, "22000.0000")
    history = member.send("GET", "/v1/balances/history", query={"limit": "3"}).document
    moved = {(one["kind"], one["asset"], one["amount"]) for one in history["movements"]}
    assert moved == {
        ("withdrawal", "XAU", "-1.000"),
        ("fee", "KRW", "-22000.0000"),
        ("vat", "KRW", "-19000.0000"),
    }


def test_one_of_a_hundred_parallel_withdrawals_of_a_balance_passes(
    house: House, custody: Custody
) -> None:
    house.settled()
    trader = house.traders[3]
    member, wallet = custody.withdrawer(trader), Wallet(house)
    balance = house.units(trader.account, XAU)
    amount = f"{balance // GRAM}.{balance % GRAM:03}"
    custody.limit("XAU", balance)

    def reach(number: int) -> str:
        asked = {"client_reference": f"hand-{number}-{wallet.address}", "kind": "token"}
        asked |= {"asset": "XAU", "amount": amount, "destination": wallet.address}
        hand = Trader(
            member.base_url, f"hand {number}", member.account, member.access_key, member.secret
        )
        found: list[str] = []

        def taken() -> bool:
            answer = hand.send("POST", "/v1/withdrawals", asked)
            assert answer.status in (201, 429), answer.document
            found[:] = [str(answer.document.get("withdrawal_id", ""))]
            return answer.status == 201

        wait_until(taken, timeout_s=TIMEOUT_S)
        hand.close()
        return found[0]

    with ThreadPoolExecutor(HANDS) as hands:
        withdrawals = set(hands.map(reach, range(HANDS)))
    assert len(withdrawals) == HANDS

    def states() -> dict[str, int]:
        rows = house.query(
            "SELECT state, count(*) FROM custody_withdrawal WHERE account_id = %s"
            " AND client_reference LIKE 'hand-%%' GROUP BY state",
            trader.account,
        )
        return {str(state): int(count) for state, count in rows}

    wait_until(lambda: states() == {"completed": 1, "refused": HANDS - 1}, timeout_s=TIMEOUT_S)
    assert house.units(trader.account, XAU) == 0
    token = house.query("SELECT token_address FROM custody_asset WHERE id = %s", XAU)[0][0]
    assert wallet.units(token) == balance
    house.agrees()

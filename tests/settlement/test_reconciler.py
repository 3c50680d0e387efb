"""The reconciler over a whole exchange: every record agrees, and one unit too many is found."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dj_database_url
import msgspec
import pytest
from django.conf import settings
from django.db import connection
from eth_utils.crypto import keccak
from pytest_django.plugin import DjangoDbBlocker

from compliance import services as compliance_services
from compliance.officer_keys import key_sign
from custody import selectors as custody_selectors
from custody import services as custody_services
from custody.cash_documents import BankBalance, document_message
from exchange.demo.market import Market
from exchange.listings import services as listings_services
from exchange.stack import Stack
from matching.client import engine
from matching.protocol.commands import Credit, Debit, PlaceOrder
from matching.protocol.events import Filled
from matching.protocol.units import InstrumentClass, OrderKind, Side, TimeInForce
from settlement import intents, lanes, selectors, sweeping
from settlement.models import Reconciliation
from settlement.reconciler import reconcile
from tests.settings import SESSION_INSTANCE
from tests.waiting import wait_until

PROCESSES = (
    "engine",
    "ledger",
    "clearing",
    "projector",
    "venue-clearing",
    "venue-signer",
    "clearing-signer",
    "custody-signer",
    "compliance-signer",
)
SWEEPS = (
    compliance_services.sweep,
    custody_services.sweep,
    listings_services.sweep,
    sweeping.sweep,
    sweeping.deposits_due,
    intents.intents_execute,
)
KRW, XAU = 1, 2
GOLD = 1
SLOTS = 32


@pytest.fixture(scope="module")
def exchange(django_db_blocker: DjangoDbBlocker) -> Iterator[Stack]:
    """A whole exchange without its web door; this process is its worker."""
    name = f"{SESSION_INSTANCE.name}-books"
    with (
        Stack(name, processes=PROCESSES, durable=False) as stack,
        _inside(stack),
        django_db_blocker.unblock(),
        _working(),
    ):
        yield stack
    stack.erase()  # after the thread that sweeps in its database has ended


@contextmanager
def _working() -> Iterator[None]:
    """Sweep for every body in a thread, as worker and beat would."""
    done = Event()

    def work() -> None:
        while not done.wait(0.1):
            for sweep in SWEEPS:
                sweep()
        connection.close()

    worker = Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


@contextmanager
def _inside(stack: Stack) -> Iterator[None]:
    """Let this process's settings speak of the stack's instance."""
    changed = {
        "CHAIN_URL": stack.env["CHAIN_URL"],
        "KEYS": Path(stack.env["NEXUS_KEYS"]),
        "LANE_KEY_FILE": Path(stack.env["NEXUS_LANE_KEY_FILE"]),
        "INSTANCE_ID": uuid.UUID(stack.env["NEXUS_INSTANCE_ID"]),
    }
    outside = {name: getattr(settings, name) for name in changed}
    variables, database = dict(os.environ), dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= dj_database_url.parse(stack.env["DATABASE_URL"])
    os.environ.update(stack.env)
    _settings_set(changed)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict |= database
        os.environ.clear()
        os.environ.update(variables)
        _settings_set(outside)


def _settings_set(values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    lanes.node.cache_clear()
    engine.cache_clear()


@pytest.fixture(scope="module")
def members(exchange: Stack) -> tuple[int, int]:
    """Two members with won and gold, and an open market."""
    market = Market(exchange.web_url)
    market.found()
    market.open()
    people = dict.fromkeys(("Ahn", "Baek"), InstrumentClass.METAL)
    buyer, seller = (one.account for one in market.members_admit(people))
    market.fund({buyer: {"KRW": 10**10}, seller: {"XAU": 10**5}})
    return buyer, seller


def traded(buyer: int, seller: int) -> int:
    """Let one lot of gold change hands; return the sequence of the fill."""
    sequence = 0
    for account, side in ((seller, Side.SELL), (buyer, Side.BUY)):
        order = PlaceOrder(
            account=account,
            client_order_id=uuid.uuid4().hex,
            instrument=GOLD,
            side=side,
            kind=OrderKind.LIMIT,
            time_in_force=TimeInForce.GTC,
            price_ticks=19_000,
            quantity_lots=1,
        )
        answer = engine().send(order)
        sequence = answer.sequence
    assert any(isinstance(event, Filled) for event in answer.events), answer
    return sequence


def settled(sequence: int) -> None:
    wait_until(lambda: selectors.settled_sequence() >= sequence, timeout_s=60)


def mismatch(found: Reconciliation, *sources: str) -> dict[str, Any]:
    """Return the first mismatch, having checked that they are of these sources."""
    assert [one["source"] for one in found.report["mismatches"]] == list(sources)
    first: dict[str, Any] = found.report["mismatches"][0]
    return first


def test_books_agree_when_fills_are_settled_and_on_their_way(members: tuple[int, int]) -> None:
    first = traded(*members)
    early = reconcile()
    assert early.mismatches == 0, early.report["mismatches"]
    settled(first)
    traded(*members)
    found = reconcile()
    assert found.mismatches == 0, found.report["mismatches"]
    assert found.report["settled_sequence"] >= first
    gold = [row for row in found.report["assets"] if row["asset"] == XAU]
    assert [(row["supply"], row["outside_holdings"]) for row in gold] == [(10**5, 10**5)]
    assert custody_selectors.withdrawals_halted() is None


def test_one_unit_is_found_when_the_ledger_is_tampered_with(members: tuple[int, int]) -> None:
    buyer, _ = members
    sequence = traded(*members)
    settled(sequence)
    with _posting_changed(sequence, buyer, XAU):
        only = mismatch(reconcile(), "ledger")
    named = (only["account"], only["asset"], only["first_sequence"])
    assert named == (buyer, XAU, sequence)
    assert only["found"] == only["expected"] + 1
    halt = custody_selectors.withdrawals_halted()
    assert halt is not None
    assert f"account {buyer}, asset {XAU}" in halt.reason
    assert reconcile().mismatches == 0


@contextmanager
def _posting_changed(sequence: int, account: int, asset: int) -> Iterator[None]:
    """Add one unit to a posting, as only the owner of the database can."""

    def add(units: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE custody_posting DISABLE TRIGGER USER")
            cursor.execute(
                "UPDATE custody_posting SET amount_units = amount_units + %s FROM custody_entry e "
                "WHERE e.id = entry_id AND sequence = %s AND account_id = %s AND asset_id = %s",
                [units, sequence, account, asset],
            )
            assert cursor.rowcount == 1
            cursor.execute("ALTER TABLE custody_posting ENABLE TRIGGER USER")

    add(1)
    try:
        yield
    finally:
        add(-1)


def rpc(method: str, *parameters: Any) -> Any:
    answer = lanes.node().provider.make_request(method, list(parameters))  # type: ignore[arg-type]
    assert "error" not in answer, answer
    return answer["result"]


def test_one_unit_is_found_when_the_chain_is_tampered_with(
    exchange: Stack, members: tuple[int, int], tmp_path: Path
) -> None:
    buyer, _ = members
    settled(traded(*members))
    after = selectors.settled_sequence()
    token, address = _token_and_address(XAU, buyer)
    place = _balance_slot(token, address)
    word = int(rpc("eth_getStorageAt", token, place, "latest"), 16)
    rpc("anvil_setStorageAt", token, place, f"0x{word + 1:064x}")
    rpc("anvil_mine", "0x3")
    try:
        only = mismatch(reconcile(), "chain", "outside wallets")
        report = tmp_path / "report.json"
        ended = exchange.manage("reconcile", "--json", str(report), check=False)
    finally:
        rpc("anvil_setStorageAt", token, place, f"0x{word:064x}")
        rpc("anvil_mine", "0x3")
    named = (only["account"], only["asset"], only["first_sequence"])
    assert named == (buyer, XAU, after + 1)
    assert only["found"] == only["expected"] + 1
    assert ended.returncode == 1
    assert len(json.loads(report.read_text())["mismatches"]) == 2
    assert reconcile().mismatches == 0


def _token_and_address(asset: int, account: int) -> tuple[str, str]:
    address = custody_selectors.account_addresses([account])[account]
    return selectors.token_addresses()[asset], address


def _balance_slot(token: str, address: str) -> str:
    """Return the storage slot of a holder's word; Solidity hashes key and mapping's place."""
    for place in range(SLOTS):
        key = bytes.fromhex(address[2:]).rjust(32, b"\0") + place.to_bytes(32, "big")
        slot = "0x" + keccak(key).hex()
        if int(rpc("eth_getStorageAt", token, slot, "latest"), 16):
            return slot
    raise AssertionError(f"no word of {address} in {token}")


def test_credit_is_found_when_nothing_on_chain_stands_behind_it(
    members: tuple[int, int],
) -> None:
    buyer, _ = members
    forged = engine().send(Credit(buyer, XAU, 1, f"forged:{uuid.uuid4().hex}"))
    only = mismatch(reconcile(), "chain")
    named = (only["account"], only["asset"], only["first_sequence"])
    assert named == (buyer, XAU, forged.sequence)
    assert only["expected"] == only["found"] + 1
    engine().send(Debit(buyer, XAU, 1, f"undone:{uuid.uuid4().hex}"))
    assert reconcile().mismatches == 0


def test_supply_is_found_too_high_when_evidence_no_longer_verifies(
    members: tuple[int, int],
) -> None:
    assert members
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE custody_vaultreceipt DISABLE TRIGGER USER")
        cursor.execute("UPDATE custody_vaultreceipt SET fine_units = fine_units - 1, "
                       "auditor_fine_units = auditor_fine_units - 1")  # fmt: skip
    try:
        only = mismatch(reconcile(), "supply, at most")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE custody_vaultreceipt SET fine_units = fine_units + 1, "
                           "auditor_fine_units = auditor_fine_units + 1")  # fmt: skip
            cursor.execute("ALTER TABLE custody_vaultreceipt ENABLE TRIGGER USER")
    assert (only["asset"], only["expected"], only["found"]) == (XAU, 0, 10**5)
    assert reconcile().mismatches == 0


def test_bank_that_holds_less_than_its_notices_say_is_found(members: tuple[int, int]) -> None:
    assert members
    later = datetime.now(UTC) + timedelta(minutes=1)
    _balance_told(1_000_000, later)
    found = reconcile()
    (bank,) = found.report["banks"]
    assert (found.mismatches, bank["balance"], bank["least"]) == (0, 10**10, 10**10)
    _balance_told(999_999, later + timedelta(seconds=1))
    only = mismatch(reconcile(), "bank busan-trust-bank, at least")
    assert (only["asset"], only["expected"], only["found"]) == (KRW, 10**10, 10**10 - 10_000)
    halt = custody_selectors.withdrawals_halted()
    assert halt is not None
    _balance_told(1_000_000, later + timedelta(seconds=2))
    assert reconcile().mismatches == 0


def _balance_told(amount: int, booked_at: datetime) -> None:
    """Have the bank sign how many whole won it holds, and custody keep it."""
    stated = BankBalance(
        bank="busan-trust-bank",
        currency="KRW",
        amount=amount,
        booked_at=booked_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    key = Path(settings.KEYS) / "people" / "bank.key"
    signature = key_sign(key, document_message(settings.INSTANCE_ID, stated)).hex()
    document = {**msgspec.structs.asdict(stated), "signature": signature}
    custody_services.bank_balance_receive(document=document)

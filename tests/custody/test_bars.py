"""Bars out of the vault: promised once, burned for, ordered by a signature, released by another."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from eth_abi.abi import decode

from compliance import calldata, policy
from compliance import signer as body_signer
from compliance.dead_letters import ATTEMPTS_DEAD
from custody import evidence, selectors, services
from custody.errors import Conflict, EvidenceInvalid, Invalid, NotFound, NotYet
from custody.models import (
    REVENUE,
    Account,
    BankAccount,
    BarReservation,
    CustodyIntent,
    Issuance,
    ReleaseDue,
    VaultBar,
    VaultRelease,
    Withdrawal,
    WithdrawalCharge,
)
from custody.sandbox.vault import Vault
from custody.signer import CustodySigner
from custody.statements import movement_kind
from matching.client import EngineClient
from matching.protocol.commands import Credit, DefineInstrument
from matching.protocol.queries import Balances, GetBalances
from tests.compliance.desks import Desk, act_approved

pytestmark = pytest.mark.django_db
KRW, XAU = 1, 2
WON = 10_000
KILO = 1_000_000
# Gold at 190,000 won a gram, in the middle of its band: a kilobar is worth 190 million won.
GOLD_MARKET = DefineInstrument(
    instrument=1,
    base_asset=XAU,
    quote_asset=KRW,
    base_units_per_lot=10,
    quote_units_per_tick_lot=1_000,
    instrument_class=1,
    quantity_lots_max=10**6,
    price_ticks_low=17_100,
    price_ticks_high=20_900,
)
FEE, VAT = 22_000, 19_000_000  # won for one kilobar
WON_IN_HAND = 50_000_000
BARS = [
    {
        "refiner": "LS-MnM",
        "serial": serial,
        "year": 2026,
        "gross_units": KILO + 101,
        "fine_units": KILO,
        "fineness_ppm": 999_900,
    }
    for serial in ("K1", "K2", "K3")
]


@pytest.fixture
def sandbox(assets: None, keys: Path, signer: CustodySigner, tmp_path: Path) -> Vault:
    """A vault and its auditor, known to custody, which trusts custody's order key."""
    vault = Vault.found(tmp_path / "vault", "gamcheon", "yeongdo", settings.INSTANCE_ID)
    for role, name in (("vault", "gamcheon"), ("auditor", "yeongdo")):
        key = bytes.fromhex(vault.public_key(role))
        services.evidence_key_create(name=name, kind=role, public_key=key, actor="process:test")
        policy.evidence_trust("custody", name, role, key)
    vault.trust(signer.payment_public_key)
    return vault


@pytest.fixture
def member(
    chain: None,
    sandbox: Vault,
    signer: CustodySigner,
    engine_client: EngineClient,
    carol: Desk,
    dave: Desk,
) -> Account:
    """A member whose three kilobars were stored, counted, minted and credited."""
    policy.limit_set("custody", "withdraw", "XAU", 10 * KILO)
    policy.attestor_trust("custody", _clearing().address)
    account = services.account_open(holder=7_100_000)
    signer.work()
    services.sweep()
    signer.work()
    receipt = sandbox.audit(sandbox.store(account=account.pk, asset="XAU", bars=BARS))
    services.vault_receipt_receive(document=receipt)
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    services.sweep()
    signer.work()
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    engine_client.send(GOLD_MARKET)
    engine_client.send(Credit(account.pk, KRW, WON_IN_HAND * WON, f"won:{uuid4().hex}"))
    act = act_approved(
        carol,
        dave,
        "custody.mint",
        evidence_kind="vault_receipt",
        evidence_id=receipt["receipt_id"],
        account=account.pk,
        asset=XAU,
        amount_units=3 * KILO,
    )
    services.act_execute(act_id=act.id)
    signer.work()
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    services.issuance_credit(issuance_id=Issuance.objects.get().pk)
    return selectors.account_get(account.pk)


def _clearing() -> body_signer.BodySigner:
    return body_signer.BodySigner("clearing", b"\x07" * 32)


def _wish(member: Account, destination: str, bars: int, reference: str = "B1") -> Withdrawal:
    return services.withdrawal_request(
        account=member.pk,
        asset=XAU,
        amount_units=bars * KILO,
        kind="bar",
        destination=destination,
        client_reference=reference,
        actor="member:test",
    )


def _burned(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    sequence = withdrawal.engine_sequence
    assert sequence is not None, withdrawal.reason
    signature = _clearing().sign_typed(body_signer.coverage_typed(sequence))
    services.withdrawals_cover(sequence=sequence, signature=signature)
    services.sweep()
    assert signer.work() == 1
    services.intent_confirmed(withdrawal.pk)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "executed"


def test_bars_leave_the_vault_for_the_tokens_that_stood_for_them(
    member: Account, sandbox: Vault, signer: CustodySigner
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026,LS-MnM/K3/2026@KIM-7", 2)
    assert [bar.serial for bar in selectors.bars_available(XAU)] == ["K2"]
    assert selectors.outside_holdings()[XAU] == 3 * KILO
    _burned(withdrawal, signer)
    assert services.releases_send() == []
    assert signer.work() == 2, ReleaseDue.objects.get().error
    (order,) = services.releases_send()
    assert order["bars"] == ["LS-MnM/K1/2026", "LS-MnM/K3/2026"]
    assert (order["pickup"], order["fine_units"]) == ("KIM-7", 2 * KILO)
    released = sandbox.release(order)
    assert (sandbox.release(order), sandbox.shelf()) == (released, {"XAU": KILO})
    kept = services.vault_release_receive(document=released)
    assert services.vault_release_receive(document=released) == kept
    withdrawal.refresh_from_db()
    assert (withdrawal.state, services.releases_send()) == ("completed", [])
    assert selectors.outside_holdings()[XAU] == KILO
    assert selectors.outside_holdings(issued_only=True)[XAU] == 3 * KILO
    with pytest.raises(Conflict, match="promised"):
        _wish(member, "LS-MnM/K1/2026@KIM-8", 1, "B2")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE custody_vaultrelease SET fine_units = 1")


def test_bars_are_told_with_their_state(
    member: Account, sandbox: Vault, signer: CustodySigner
) -> None:
    fresh = [bar | {"serial": "L1"} for bar in BARS[:1]]
    receipt = sandbox.store(account=member.pk, asset="XAU", bars=fresh)
    services.vault_receipt_receive(document=sandbox.audit(receipt))

    def states() -> dict[str, str]:
        found: list[Any] = list(selectors.bars_of(member.pk, asset=XAU))
        return {bar.serial: bar.state for bar in found}

    def reserve() -> list[str]:
        return [bar.serial for bar in selectors.bars_in_reserve(asset=XAU)]

    assert states() == {"K1": "stored", "K2": "stored", "K3": "stored", "L1": "received"}
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    assert (states()["K1"], reserve()) == ("promised", ["K3", "K2", "K1"])
    assert [bar.serial for bar in selectors.bars_in_reserve(state="promised")] == ["K1"]
    newest = selectors.bars_in_reserve()[0]
    (older,) = selectors.bars_in_reserve(state="stored", before=newest.pk)
    assert (newest.serial, older.serial) == ("K3", "K2")
    _burned(withdrawal, signer)
    assert (states()["K1"], reserve()) == ("redeemed", ["K3", "K2"])
    signer.work()
    services.vault_release_receive(document=sandbox.release(services.releases_send()[0]))
    assert states() == {"K1": "released", "K2": "stored", "K3": "stored", "L1": "received"}
    assert selectors.bars_in_reserve(asset=KRW).count() == 0
    assert selectors.bars_of(member.pk + 1).count() == 0
    assert selectors.bars_in_reserve(state="released").count() == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        VaultBar.objects.create(
            **BARS[0] | {"serial": "M1", "gross_units": KILO - 1}, receipt_id=receipt["receipt_id"]
        )


def _won(client: EngineClient, account: int) -> int:
    """Return whole won that the engine keeps for an account."""
    reply = client.ask(GetBalances(account))
    assert isinstance(reply, Balances)
    return sum(one.available_units for one in reply.balances if one.asset == KRW) // WON


def test_fee_and_vat_leave_with_the_bars_and_become_revenue(
    member: Account, signer: CustodySigner, engine_client: EngineClient
) -> None:
    revenue = _won(engine_client, REVENUE)
    withdrawal = _wish(member, "LS-MnM/K1/2026,LS-MnM/K3/2026@KIM", 2)
    assert (withdrawal.fee_units, withdrawal.vat_units) == (2 * FEE * WON, 2 * VAT * WON)
    _burned(withdrawal, signer)
    left = WON_IN_HAND - 2 * (FEE + VAT)
    assert (_won(engine_client, member.pk), _won(engine_client, REVENUE)) == (left, revenue)
    assert selectors.cash_unpaid("KRW") == 2 * (FEE + VAT)
    charge = WithdrawalCharge.objects.get()
    with pytest.raises(NotYet, match="is due"):
        services.charge_credit(withdrawal_id=withdrawal.pk)
    signer.work()
    (transfer,) = services.intents_executable()
    assert (transfer.id, transfer.kind) == (charge.intent_id, "charge")
    addresses = selectors.account_addresses([member.pk, REVENUE])
    assert decode(["address", "address", "uint256"], transfer.data[4:]) == (
        addresses[member.pk].lower(),
        addresses[REVENUE].lower(),
        2 * (FEE + VAT) * WON,
    )
    services.intent_confirmed(transfer.id)
    for _ in range(2):
        services.charge_credit(withdrawal_id=withdrawal.pk)
        WithdrawalCharge.objects.update(state="moved", closed_at=None)
    services.sweep()
    charge.refresh_from_db()
    assert (charge.state, _won(engine_client, REVENUE)) == ("credited", revenue + 2 * (FEE + VAT))
    assert selectors.cash_unpaid("KRW") == 0
    (cost,) = selectors.withdrawal_fees(
        member.pk, begin=withdrawal.created_at, end=withdrawal.created_at + timedelta(seconds=1)
    )
    assert (cost.fee_units, cost.vat_units) == (2 * FEE * WON, 2 * VAT * WON)


def test_vat_is_swept_apart_from_revenue(
    member: Account, signer: CustodySigner, engine_client: EngineClient
) -> None:
    day = date(2026, 11, 23)
    before = _won(engine_client, REVENUE)
    BankAccount.objects.create(
        account_id=REVENUE, bank="nh", number="301-0000", holder_name="Nexus"
    )
    _burned(_wish(member, "LS-MnM/K1/2026@KIM", 1), signer)
    signer.work()
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    assert services.vat_sweep(day=day) is None
    services.sweep()
    swept = services.revenue_sweep(day=day), services.vat_sweep(day=day)
    assert [one and one.amount_units // WON for one in swept] == [before + FEE, VAT]
    assert (services.revenue_sweep(day=day), services.vat_sweep(day=day)) == swept
    for one in swept:
        assert one is not None
        services.withdrawal_advance(withdrawal_id=one.pk)
    assert _won(engine_client, REVENUE) == 0
    assert services.vat_sweep(day=date(2026, 11, 24)) is None


@pytest.mark.parametrize("came_back", ["cancelled", "returned"])
def test_fee_and_vat_come_back_with_the_bars(
    member: Account, signer: CustodySigner, engine_client: EngineClient, came_back: str
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    if came_back == "cancelled":
        services.withdrawal_cancel(account=member.pk, withdrawal_id=withdrawal.pk, actor="test")
    else:
        services.withdrawal_advance(withdrawal_id=withdrawal.pk)
        assert _won(engine_client, member.pk) == WON_IN_HAND - FEE - VAT
        with transaction.atomic():
            services.withdrawal_return(withdrawal_id=withdrawal.pk, reason="test")
        services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, WithdrawalCharge.objects.get().state) == (came_back, "void")
    assert (_won(engine_client, member.pk), selectors.cash_unpaid("KRW")) == (WON_IN_HAND, 0)
    assert (
        selectors.withdrawal_fees(
            member.pk, begin=withdrawal.created_at, end=withdrawal.created_at + timedelta(days=1)
        )
        == []
    )


def test_bars_stay_when_the_member_cannot_pay_for_them(
    member: Account, engine_client: EngineClient
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026,LS-MnM/K2/2026,LS-MnM/K3/2026@KIM", 3)
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, WithdrawalCharge.objects.get().state) == ("refused", "void")
    assert withdrawal.reason.startswith("insufficient_balance: account")
    assert "needs 570660000000 units" in withdrawal.reason
    assert _won(engine_client, member.pk) == WON_IN_HAND
    assert not BarReservation.objects.exists()


def test_signer_refuses_a_charge_that_rows_alone_ask_for(
    member: Account, signer: CustodySigner
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    _burned(withdrawal, signer)
    intent = CustodyIntent.objects.get(kind="charge")
    more = calldata.custody_transfer(
        signer.address_derive(member.pk), signer.address_derive(REVENUE), (FEE + VAT) * WON + 1
    )
    elsewhere = calldata.custody_transfer(
        signer.address_derive(member.pk), signer.address_derive(member.pk + 1), (FEE + VAT) * WON
    )
    for data in (more, elsewhere):
        CustodyIntent.objects.filter(pk=intent.pk).update(data=data, due_at=timezone.now())
        assert signer.intents_sign() == 0
    CustodyIntent.objects.filter(pk=intent.pk).update(data=intent.data, due_at=timezone.now())
    Withdrawal.objects.filter(pk=withdrawal.pk).update(state="covered", executed_at=None)
    assert signer.intents_sign() == 0
    intent.refresh_from_db()
    assert (intent.signature, "its burn is not final" in intent.error) == (None, True)


def test_members_word_for_a_charge_is_its_name() -> None:
    reference = f"withdrawal:{uuid4().hex}:{uuid4().hex}"
    words = [movement_kind("debit", f"{reference}{name}") for name in ("", ":fee", ":vat")]
    assert words == ["withdrawal", "fee", "vat"]


@pytest.mark.parametrize(
    ("destination", "bars", "error"),
    [
        ("LS-MnM/K1/2026@KIM", 2, Invalid),
        ("LS-MnM/K1/2026,LS-MnM/K1/2026@KIM", 2, Invalid),
        ("LS-MnM/K9/2026@KIM", 1, NotFound),
        ("LS-MnM/K1@KIM", 1, Invalid),
        ("LS-MnM/K1/2026", 1, Invalid),
        ("LS-MnM/K1/2026@", 1, Invalid),
    ],
)
def test_wish_for_other_weight_or_bars_is_refused(
    member: Account, destination: str, bars: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _wish(member, destination, bars)
    assert not BarReservation.objects.exists() and not Withdrawal.objects.exists()


def test_cancelled_wish_frees_its_bars(member: Account) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    with pytest.raises(Conflict, match="promised"):
        _wish(member, "LS-MnM/K1/2026@LEE", 1, "B2")
    services.withdrawal_cancel(account=member.pk, withdrawal_id=withdrawal.pk, actor="member:t")
    assert _wish(member, "LS-MnM/K1/2026@LEE", 1, "B2").state == "requested"


def test_release_is_believed_from_the_vault_and_for_the_ordered_bars_alone(
    member: Account, sandbox: Vault, signer: CustodySigner
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    _burned(withdrawal, signer)
    signer.work()
    released = sandbox.release(services.releases_send()[0])
    for changed in (
        {"bars": ["LS-MnM/K2/2026"]},
        {"fine_units": KILO + 1},
        {"withdrawal": "nobody"},
        {"signature": "00" * 64},
    ):
        with pytest.raises(EvidenceInvalid):
            services.vault_release_receive(document=released | changed)
    other = released | {"bars": ["LS-MnM/K2/2026"]}
    message = evidence.release_message(settings.INSTANCE_ID, other)
    other["signature"] = sandbox._sign("vault", message)
    with pytest.raises(EvidenceInvalid, match="ordered was"):
        services.vault_release_receive(document=other)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, VaultRelease.objects.count()) == ("executed", 0)


def test_bars_stay_in_the_vault_until_a_halt_is_lifted(
    member: Account, signer: CustodySigner, carol: Desk, dave: Desk
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    _burned(withdrawal, signer)
    halt = services.withdrawals_halt("account 1000 differs")
    for _ in range(ATTEMPTS_DEAD):
        ReleaseDue.objects.update(due_at=timezone.now())
        assert signer.releases_sign() == 0
    due = ReleaseDue.objects.get(pk=withdrawal.pk)
    assert (due.attempts, due.error) == (0, "withdrawals are halted: account 1000 differs")
    act = act_approved(carol, dave, "custody.withdrawals_resume", halt=halt.pk)
    services.act_execute(act_id=act.id)
    assert signer.releases_sign() == 1


def test_release_before_the_burn_is_refused(
    member: Account, sandbox: Vault, signer: CustodySigner
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    ReleaseDue.objects.create(withdrawal=withdrawal, vault_id="gamcheon")
    assert signer.releases_sign() == 0
    assert "its burn is not final" in ReleaseDue.objects.get().error
    order = selectors.release_document(ReleaseDue.objects.get())
    with pytest.raises(PermissionError):
        sandbox.release(order)
    assert sandbox.shelf() == {"XAU": 3 * KILO}


def test_vault_is_a_program_of_its_own(tmp_path: Path) -> None:
    def vault(*arguments: str, given: str = "") -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "custody.sandbox.vault", "--folder", str(tmp_path), *arguments],
            input=given,
            capture_output=True,
            text=True,
            env={"PATH": ""},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    instance = "00000000-0000-0000-0000-000000000007"
    keys = vault("init", "--name", "v", "--auditor", "a", "--instance", instance)
    assert set(keys) == {"vault", "auditor"}
    bar = "LS-MnM/K1/2026:1000101:1000000:999900"
    stored = vault("store", "--account", "1000", "--asset", "XAU", "--bar", bar)
    counted = vault("audit", "-", given=json.dumps(stored))
    trusted = {"v": ("vault", bytes.fromhex(keys["vault"]))}
    trusted["a"] = ("auditor", bytes.fromhex(keys["auditor"]))
    evidence.receipt_verify(trusted, settings.INSTANCE_ID.__class__(instance), counted)
    assert vault("shelf") == {"XAU": KILO}
    assert vault("trust", "00" * 32) == {"custody_key": "00" * 32}

"""Every kind of dead letter: listed, left alone until an officer says so, then taken up again.

No engine and no node answers here, which is what most of them die of.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Model
from django.utils import timezone
from pytest_django import Settings

from compliance import signer as signing
from compliance.dead_letters import ATTEMPTS_DEAD, Queue, letters
from compliance.models import Act, HolderAddress, Party, RegistryIntent
from custody import services
from custody.dead_letters import UNREADY_S
from custody.models import (
    Account,
    CashDeposit,
    CustodyIntent,
    Issuance,
    PaymentOrder,
    ReleaseDue,
    TokenDeposit,
    Withdrawal,
    WithdrawalCharge,
)
from exchange.members import services as members
from exchange.members.models import Application
from exchange.operations.dead_letters import QUEUES
from exchange.trading.batches import Cycle, batch_hand_over
from exchange.trading.models import BatchProposal
from matching.client import engine
from settlement import lanes, sweeping
from settlement.models import Batch
from tests.compliance.desks import act_approved, desk_open
from tests.custody.outside import notice
from tests.exchange.trading.test_batches import flow, propose_and_sign

__all__ = ["flow"]

pytestmark = pytest.mark.django_db
KRW, XAU = 1, 2
HOLDER = 8_500_000
BARS = "LS-NIKKO/1/2025@KIM"
# A row that has become a dead letter, and what its body does about such work again and again.
Dead = tuple[Model, Callable[[], object]]
Fixtures = Callable[[str], Any]


@pytest.fixture(autouse=True)
def nobody_answers(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An engine's address and a node's at which there is nobody."""
    settings.CHAIN_URL = "http://127.0.0.1:9"
    for name, value in (
        ("NEXUS_ENGINE_SOCKET", str(tmp_path / "engine.sock")),
        ("NEXUS_JOURNAL", str(tmp_path)),
        ("REDIS_URL", "redis://127.0.0.1:9/0"),
        ("NEXUS_INSTANCE_ID", str(settings.INSTANCE_ID)),
    ):
        monkeypatch.setenv(name, value)
    for known in (engine, lanes.node):
        known.cache_clear()
    yield
    for known in (engine, lanes.node):
        known.cache_clear()


def _die(row: Any, work: Callable[[], object]) -> Dead:
    """Let a row's step fail as often as it takes."""
    for _ in range(ATTEMPTS_DEAD):
        type(row).objects.filter(pk=row.pk).update(due_at=timezone.now())
        work()
    row.refresh_from_db()
    assert row.attempts == ATTEMPTS_DEAD
    return row, work


def _account(get: Fixtures) -> Account:
    get("chain")
    return services.account_open(holder=HOLDER)


def _deposit(get: Fixtures) -> CashDeposit:
    return CashDeposit.objects.create(
        notice_id="N1",
        bank_id=get("bank").name,
        document={},
        currency="KRW",
        amount=5_000,
        asset_id=KRW,
        account=_account(get),
        state=CashDeposit.State.ACCEPTED,
    )


def _withdrawal(get: Fixtures, **terms: Any) -> Withdrawal:
    executed = {"state": Withdrawal.State.EXECUTED, "engine_sequence": 1}
    wish = {"asset_id": KRW, "kind": "cash", "destination": "kb:110-222-333", **executed} | terms
    if wish["state"] == Withdrawal.State.EXECUTED:
        wish["executed_at"] = timezone.now()
    return Withdrawal.objects.create(
        account=_account(get), amount_units=50_000_000, client_reference="W1", **wish
    )


def _dead_act(get: Fixtures) -> Dead:
    document = notice(get("bank"), _account(get).pk, 10_000)
    received = services.bank_notice_receive(document=document)
    act = act_approved(
        *(get("carol"), get("dave"), "custody.mint"),
        evidence_kind="bank_notice",
        evidence_id=received.pk,
        account=received.account_id,
        asset=KRW,
        amount_units=10_000,
    )
    return _die(Act.objects.get(pk=act.pk), services.sweep)


def _dead_registry_intent(get: Fixtures) -> Dead:
    get("keys")
    address = HolderAddress.objects.create(
        holder=HOLDER, account=1_000, address="0x" + "1" * 40, attestation=bytes(65)
    )
    row = RegistryIntent.objects.create(
        kind="set_status", target=address.address, data=b"", address=address, version=1
    )
    key = signing.BodySigner("compliance", b"\x07" * 32)
    return _die(row, lambda: signing.registry_intents_sign(key))


def _dead_application(get: Fixtures) -> Dead:
    row, _ = members.application_submit(
        legal_name="Kim Ji-woo",
        kind="person",
        jurisdiction="KR",
        email="desk@example.com",
        label="Kim",
        actor="process:test",
    )
    Party.objects.filter(pk=row.party_id).update(state=Party.State.IDENTIFIED)
    Application.objects.filter(pk=row.pk).update(label="")
    return _die(row, members.applications_admit)


def _dead_proposal(get: Fixtures) -> Dead:
    get("flow")
    row = propose_and_sign()
    account, asset, units = row.net[0]
    net = [[account, asset, str(int(units) + 1)], *row.net[1:]]
    BatchProposal.objects.filter(pk=row.pk).update(net=net)
    cycle = Cycle(cycle_s=0)
    cycle.step()
    return row, cycle.step


def _dead_batch(get: Fixtures) -> Dead:
    get("flow")
    assert batch_hand_over(batch_id=propose_and_sign().batch_id)
    Batch.objects.update(
        state="signed",
        clearing_signature=bytes(65),
        attempts=ATTEMPTS_DEAD,
        error="nonce too low",
        due_at=timezone.now() + timedelta(minutes=1),
    )
    return Batch.objects.get(), sweeping.sweep


def _dead_intent(get: Fixtures) -> Dead:
    account, signer = _account(get), get("signer")
    elsewhere = "0x" + "1" * 40
    row = CustodyIntent.objects.create(kind="open", target=elsewhere, data=b"", account=account)
    return _die(row, signer.work)


def _dead_issuance(get: Fixtures) -> Dead:
    deposit = _deposit(get)
    assert deposit.account is not None
    row = Issuance.objects.create(
        deposit=deposit,
        account=deposit.account,
        asset_id=KRW,
        amount_units=50_000_000,
        state=Issuance.State.MINTED,
    )
    return _die(row, services.sweep)


def _dead_token_deposit(get: Fixtures) -> Dead:
    row = services.token_deposit_receive(
        account=_account(get).pk,
        asset=XAU,
        amount_units=1_000,
        sender="0x" + "2" * 40,
        transaction_hash="0x" + "3" * 64,
        log_index=0,
        block_number=1,
    )
    assert services.token_deposits_confirm(upto_block=1) == 1
    return _die(TokenDeposit.objects.get(pk=row.pk), services.sweep)


def _dead_withdrawal(get: Fixtures) -> Dead:
    asked = {"state": Withdrawal.State.REQUESTED, "engine_sequence": None}
    return _die(_withdrawal(get, **asked), services.sweep)


def _dead_charge(get: Fixtures) -> Dead:
    withdrawal = _withdrawal(get, asset_id=XAU, kind="bar", destination=BARS, fee_units=10_000)
    moved = WithdrawalCharge.State.MOVED
    row = WithdrawalCharge.objects.create(withdrawal=withdrawal, state=moved)
    return _die(row, services.sweep)


def _dead_payment(get: Fixtures) -> Dead:
    withdrawal, bank = _withdrawal(get), get("bank")
    row = PaymentOrder.objects.create(
        id=withdrawal.pk,
        withdrawal=withdrawal,
        bank_id=bank.name,
        to_bank="kb",
        to_number="110-222-333",
        to_name="Kim Ji-woo",
        currency="KRW",
        amount=5_000,
    )
    return _die(row, get("signer").work)


def _dead_account(get: Fixtures) -> Dead:
    row = _account(get)
    opened_at = timezone.now() - timedelta(seconds=UNREADY_S + 1)
    Account.objects.filter(pk=row.pk).update(opened_at=opened_at)
    return _die(row, services.sweep)


def _dead_release(get: Fixtures) -> Dead:
    withdrawal = _withdrawal(get, asset_id=XAU, kind="bar", destination=BARS)
    row = ReleaseDue.objects.create(withdrawal=withdrawal, vault_id=get("vault").name)
    return _die(row, get("signer").work)


MADE: dict[str, Callable[[Fixtures], Dead]] = {
    "act": _dead_act,
    "compliance.intent": _dead_registry_intent,
    "custody.account": _dead_account,
    "custody.cash_deposit": lambda get: _die(_deposit(get), services.sweep),
    "custody.charge": _dead_charge,
    "custody.intent": _dead_intent,
    "custody.issuance": _dead_issuance,
    "custody.payment": _dead_payment,
    "custody.release": _dead_release,
    "custody.token_deposit": _dead_token_deposit,
    "custody.withdrawal": _dead_withdrawal,
    "settlement.batch": _dead_batch,
    "venue.application": _dead_application,
    "venue.batch": _dead_proposal,
}


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.kind)
def test_dead_letter_is_taken_up_again_when_requeued(
    queue: Queue, request: pytest.FixtureRequest, keys: Path
) -> None:
    row, work = MADE[queue.kind](request.getfixturevalue)

    def standing() -> dict[str, Any]:
        found: dict[str, Any] = type(row)._default_manager.values().get(pk=row.pk)
        return found

    def listed() -> list[str]:
        return [letter.id for letter in letters([queue])]

    before = standing()
    work()
    assert (listed(), standing()) == ([str(row.pk)], before)
    desk = desk_open("olive", queue.body(row))
    call_command(
        "dead_letter_requeue",
        *(queue.kind, str(row.pk), "--officer", "olive", "--key", str(desk.key)),
        *("--reason", "its cause is gone"),
        stdout=StringIO(),
    )
    requeued = standing()
    assert (listed(), requeued != before) == ([], True)
    work()
    assert standing() != requeued

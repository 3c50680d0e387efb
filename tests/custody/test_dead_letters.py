"""Dead letters: seen by everybody who may look, set going by an officer of their own body alone."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from compliance.dead_letters import ATTEMPTS_DEAD, counts
from compliance.intent_life import ATTEMPTS_MAX
from compliance.models import AuditRecord
from custody import selectors, services
from custody.dead_letters import UNREADY_S
from custody.models import Account, CustodyIntent, Issuance
from custody.signer import CustodySigner
from exchange.operations.dead_letters import QUEUES
from matching.client import EngineClient
from matching.protocol.commands import OpenAccount
from tests.compliance.desks import Desk, act_approved
from tests.custody.outside import Witness, notice

pytestmark = pytest.mark.django_db
KRW = 1


@pytest.fixture
def ready(chain: None, signer: CustodySigner, engine_client: EngineClient) -> Account:
    """An account that engine and registry know, with its derived address."""
    account = services.account_open(holder=8_100_000)
    signer.work()
    services.sweep()
    signer.work()
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    return selectors.account_get(account.pk)


def _minted(
    signer: CustodySigner, bank: Witness, officers: tuple[Desk, Desk], account: int, units: int
) -> Issuance:
    """Return an issuance of KRW whose mint the chain holds."""
    document = notice(bank, account, units)
    services.bank_notice_receive(document=document)
    act = act_approved(
        *officers,
        "custody.mint",
        evidence_kind="bank_notice",
        evidence_id=document["notice_id"],
        account=account,
        asset=KRW,
        amount_units=units,
    )
    services.act_execute(act_id=act.id)
    signer.work()
    issuance = Issuance.objects.get(act=act)
    assert issuance.intent_id is not None
    services.intent_confirmed(issuance.intent_id)
    return issuance


@pytest.fixture
def poison(
    signer: CustodySigner, bank: Witness, carol: Desk, dave: Desk, ready: Account
) -> Issuance:
    """A confirmed mint for an account which the engine, other than the rows say, does not know."""
    issuance = _minted(signer, bank, (carol, dave), ready.pk, 1_000_000)
    stranger = services.account_open(holder=8_200_000)
    Account.objects.filter(pk=stranger.pk).update(
        address="0x" + "7" * 40, engine_sequence=1, registered_at=timezone.now()
    )
    Issuance.objects.filter(pk=issuance.pk).update(account=stranger)
    for _ in range(ATTEMPTS_DEAD):
        Issuance.objects.update(due_at=timezone.now())
        services.sweep()
    issuance.refresh_from_db()
    assert (issuance.state, issuance.attempts) == ("minted", ATTEMPTS_DEAD)
    return issuance


def _listed() -> list[Any]:
    output = StringIO()
    call_command("dead_letters_list", "--json", stdout=output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def _requeue(kind: str, identifier: object, officer: Desk) -> None:
    call_command(
        "dead_letter_requeue",
        *(kind, str(identifier), "--officer", officer.officer.user.username),
        *("--key", str(officer.key), "--reason", "the engine knows it now"),
        stdout=StringIO(),
    )


def test_others_go_on_while_one_credit_fails_again_and_again(
    signer: CustodySigner, bank: Witness, carol: Desk, dave: Desk, ready: Account, poison: Issuance
) -> None:
    other = _minted(signer, bank, (carol, dave), ready.pk, 2_000_000)
    Issuance.objects.update(due_at=timezone.now())
    services.sweep()
    other.refresh_from_db()
    poison.refresh_from_db()
    assert (other.state, poison.state) == ("credited", "minted")
    assert [(each["kind"], each["id"], each["attempts"]) for each in _listed()] == [
        ("custody.issuance", str(poison.pk), ATTEMPTS_DEAD + 1)
    ]


def test_dead_letter_is_carried_out_when_its_cause_is_gone_and_an_officer_says_so(
    engine_client: EngineClient, carol: Desk, poison: Issuance
) -> None:
    engine_client.send(OpenAccount(account=poison.account_id, holder=8_200_000))
    services.sweep()
    poison.refresh_from_db()
    assert poison.state == "minted"  # not due for another minute
    _requeue("custody.issuance", poison.pk, carol)
    assert _listed() == []
    services.sweep()
    poison.refresh_from_db()
    assert poison.state == "credited"
    record = AuditRecord.objects.get(action="dead_letter.requeued")
    assert (record.body, record.actor) == ("custody", "officer:carol")
    assert record.subject == f"custody.issuance:{poison.pk}"
    assert record.detail["attempts"] == ATTEMPTS_DEAD


def test_dead_letter_stays_when_another_bodys_officer_asks(grace: Desk, poison: Issuance) -> None:
    before = Issuance.objects.values().get(pk=poison.pk)
    with pytest.raises(CommandError, match="forbidden: grace is no active officer of custody"):
        _requeue("custody.issuance", poison.pk, grace)
    assert Issuance.objects.values().get(pk=poison.pk) == before
    assert not AuditRecord.objects.filter(action="dead_letter.requeued").exists()


def test_dead_letter_stays_when_another_key_signs(
    carol: Desk, dave: Desk, poison: Issuance
) -> None:
    before = Issuance.objects.values().get(pk=poison.pk)
    with pytest.raises(CommandError, match="signature_invalid"):
        _requeue("custody.issuance", poison.pk, Desk(carol.officer, dave.key))
    assert Issuance.objects.values().get(pk=poison.pk) == before


@pytest.mark.parametrize("identifier", ["999999", "no-number"])
def test_nothing_is_requeued_when_there_is_no_such_dead_letter(
    carol: Desk, identifier: str
) -> None:
    with pytest.raises(CommandError, match="not_found"):
        _requeue("custody.issuance", identifier, carol)


def test_account_is_listed_when_nobody_has_prepared_it_for_long(
    chain: None, engine_client: EngineClient, carol: Desk
) -> None:
    # Other tests' accounts may have become old meanwhile.
    before = counts(QUEUES)["custody.account"]
    account = services.account_open(holder=8_400_000)
    assert counts(QUEUES)["custody.account"] == before
    Account.objects.filter(pk=account.pk).update(
        opened_at=timezone.now() - timedelta(seconds=UNREADY_S + 1), attempts=ATTEMPTS_DEAD
    )
    assert counts(QUEUES)["custody.account"] == before + 1
    assert ("custody.account", str(account.pk)) in [
        (each["kind"], each["id"]) for each in _listed()
    ]
    _requeue("custody.account", account.pk, carol)
    assert counts(QUEUES)["custody.account"] == before
    assert AuditRecord.objects.filter(subject=f"custody.account:{account.pk}").exists()


def test_intent_given_up_is_signed_anew_when_requeued(
    chain: None, signer: CustodySigner, engine_client: EngineClient, carol: Desk
) -> None:
    services.account_open(holder=8_300_000)
    signer.work()
    services.sweep()
    signer.work()
    intent = CustodyIntent.objects.get(account__holder=8_300_000)
    for _ in range(ATTEMPTS_MAX):
        services.intent_failed(intent.id, "reverted")
    intent.refresh_from_db()
    assert (intent.state, counts(QUEUES)["custody.intent"]) == ("failed", 1)
    assert intent.id not in [each.id for each in services.intents_executable()]
    _requeue("custody.intent", intent.id, carol)
    assert (signer.work(), counts(QUEUES)["custody.intent"]) == (1, 0)
    assert intent.id in [each.id for each in services.intents_executable()]

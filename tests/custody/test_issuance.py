"""From evidence to credit: proven, approved by two, minted once, credited once."""

from typing import Any

import pytest
from eth_abi.abi import decode
from eth_utils.crypto import keccak

from compliance import selectors as compliance_selectors
from compliance.models import Act, AuditRecord
from custody import evidence, selectors, services
from custody.errors import NotYet
from custody.models import Account, CustodyIntent, Issuance, WithdrawalHalt
from custody.signer import CustodySigner
from matching.client import EngineClient, EngineUnavailable, engine
from matching.protocol.commands import Credit
from matching.protocol.events import ReferenceRepeated
from matching.protocol.queries import Balance, Balances, GetBalances
from tests.compliance.desks import Desk, act_approved
from tests.custody.conftest import TOKENS
from tests.custody.outside import Witness, bar, notice, receipt

pytestmark = pytest.mark.django_db
KRW, XAU = 1, 2


@pytest.fixture
def ready(chain: None, signer: CustodySigner, engine_client: EngineClient) -> Account:
    """An account that engine and registry know, with its derived address."""
    account = services.account_open(holder=8_000_000)
    signer.work()
    services.sweep()
    signer.work()
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    return selectors.account_get(account.pk)


@pytest.fixture
def gold(ready: Account, vault: Witness, auditor: Witness) -> dict[str, Any]:
    """The payload of a mint against a kept receipt of one kilogram."""
    document = receipt(vault, auditor, ready.pk, bar("A1", 1_000_000))
    services.vault_receipt_receive(document=document)
    return {
        "evidence_kind": "vault_receipt",
        "evidence_id": document["receipt_id"],
        "account": ready.pk,
        "asset": XAU,
        "amount_units": 1_000_000,
    }


@pytest.fixture
def won(ready: Account, bank: Witness) -> dict[str, Any]:
    """The payload of a mint against a kept notice of 100 KRW."""
    document = notice(bank, ready.pk, 1_000_000)
    services.bank_notice_receive(document=document)
    return {
        "evidence_kind": "bank_notice",
        "evidence_id": document["notice_id"],
        "account": ready.pk,
        "asset": KRW,
        "amount_units": 1_000_000,
    }


def _balance(client: EngineClient, account: int, asset: int) -> int:
    reply = client.ask(GetBalances(account))
    assert isinstance(reply, Balances)
    found = [one for one in reply.balances if one.asset == asset]
    assert all(isinstance(one, Balance) for one in found)
    return found[0].available_units if found else 0


def _executed(first: Desk, second: Desk, payload: dict[str, Any]) -> Act:
    act = act_approved(first, second, "custody.mint", **payload)
    services.act_execute(act_id=act.id)
    return compliance_selectors.act_get(act.id)


def test_receipt_becomes_gold_in_the_engine(
    signer: CustodySigner,
    engine_client: EngineClient,
    carol: Desk,
    dave: Desk,
    ready: Account,
    gold: dict[str, Any],
) -> None:
    act = _executed(carol, dave, gold)
    issuance = Issuance.objects.get()
    assert (act.state, act.result) == ("executed", {"issuance": issuance.pk})
    assert issuance.state == "approved"
    with pytest.raises(NotYet):
        services.issuance_credit(issuance_id=issuance.pk)
    assert signer.work() == 1
    issuance.refresh_from_db()
    assert issuance.state == "signed"
    (mint,) = services.intents_executable()
    assert mint.target == TOKENS[XAU]
    assert mint.data[:4] == keccak(text="mint(address,uint256,bytes32,uint256)")[:4]
    assert decode(["address", "uint256", "bytes32", "uint256"], mint.data[4:]) == (
        str(ready.address).lower(),
        1_000_000,
        evidence.chain_reference("vault_receipt", gold["evidence_id"]),
        1_000_000,
    )
    services.intent_submitted(mint.id)
    assert _balance(engine_client, ready.pk, XAU) == 0
    services.intent_confirmed(mint.id)
    issuance.refresh_from_db()
    assert issuance.state == "minted"
    assert selectors.outside_holdings(issued_only=True)[XAU] == 1_000_000
    assert services.sweep() == 1
    issuance.refresh_from_db()
    assert issuance.state == "credited"
    assert _balance(engine_client, ready.pk, XAU) == 1_000_000
    services.issuance_credit(issuance_id=issuance.pk)
    services.intent_confirmed(mint.id)
    assert (services.sweep(), signer.work()) == (0, 0)
    assert _balance(engine_client, ready.pk, XAU) == 1_000_000
    repeated = engine_client.send(Credit(ready.pk, XAU, 1_000_000, f"mint:{issuance.pk}"))
    assert repeated.events == (
        ReferenceRepeated(f"mint:{issuance.pk}", issuance.engine_sequence or 0),
    )


def test_notice_becomes_won_in_the_engine(
    signer: CustodySigner,
    engine_client: EngineClient,
    carol: Desk,
    dave: Desk,
    ready: Account,
    won: dict[str, Any],
) -> None:
    _executed(carol, dave, won)
    signer.work()
    (mint,) = services.intents_executable()
    assert mint.target == TOKENS[KRW]
    assert mint.data[:4] == keccak(text="mint(address,uint256,bytes32)")[:4]
    services.intent_confirmed(mint.id)
    services.sweep()
    assert _balance(engine_client, ready.pk, KRW) == 1_000_000


def test_evidence_is_issued_against_once(
    carol: Desk, dave: Desk, ready: Account, gold: dict[str, Any]
) -> None:
    first = act_approved(carol, dave, "custody.mint", **gold)
    second = act_approved(dave, carol, "custody.mint", **gold)
    services.act_execute(act_id=first.id)
    services.act_execute(act_id=first.id)
    services.act_execute(act_id=second.id)
    assert compliance_selectors.act_get(first.id).state == "executed"
    refused = compliance_selectors.act_get(second.id)
    assert refused.state == "failed"
    assert "has been issued against" in str(refused.result)
    assert Issuance.objects.count() == 1
    assert CustodyIntent.objects.filter(kind="mint").count() == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"amount_units": 1_000_001}, "evidence"),
        ({"amount_units": 999_999}, "evidence"),
        ({"asset": 3}, "evidence"),
        ({"account": 2}, "evidence"),
        ({"evidence_id": "R-other"}, "no vault_receipt"),
        ({"evidence_kind": "bank_notice"}, "no bank_notice"),
        ({"evidence_kind": "rumour"}, "evidence kind must be"),
    ],
)
def test_mint_of_anything_but_the_evidence_fails(
    carol: Desk, dave: Desk, gold: dict[str, Any], change: dict[str, Any], error: str
) -> None:
    act = _executed(carol, dave, {**gold, **change})
    assert act.state == "failed"
    assert error in str(act.result)
    assert not Issuance.objects.exists()
    assert not CustodyIntent.objects.filter(kind="mint").exists()


def test_mint_waits_until_the_account_is_ready(
    chain: None, carol: Desk, dave: Desk, bank: Witness
) -> None:
    account = services.account_open(holder=9_000_000)
    document = notice(bank, account.pk, 5)
    services.bank_notice_receive(document=document)
    payload = {
        "evidence_kind": "bank_notice",
        "evidence_id": document["notice_id"],
        "account": account.pk,
        "asset": KRW,
        "amount_units": 5,
    }
    act = _executed(carol, dave, payload)
    assert (act.state, act.attempts) == ("approved", 1)
    assert "not known to engine and chain" in str(act.result)
    assert not Issuance.objects.exists()


def test_credit_is_tried_again_when_the_engine_was_away(
    signer: CustodySigner,
    engine_client: EngineClient,
    carol: Desk,
    dave: Desk,
    ready: Account,
    gold: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _executed(carol, dave, gold)
    signer.work()
    (mint,) = services.intents_executable()
    services.intent_confirmed(mint.id)
    with monkeypatch.context() as away:
        away.setenv("NEXUS_ENGINE_SOCKET", "/nonexistent/engine.sock")
        engine.cache_clear()
        issuance = Issuance.objects.get()
        with pytest.raises(EngineUnavailable):
            services.issuance_credit(issuance_id=issuance.pk)
        services.sweep()
        engine.cache_clear()
    issuance.refresh_from_db()
    assert (issuance.state, issuance.attempts) == ("minted", 1)
    services.issuance_credit(issuance_id=issuance.pk)
    assert _balance(engine_client, ready.pk, XAU) == 1_000_000


def test_failed_carriage_is_due_again_later_and_failed_in_the_end(
    signer: CustodySigner, carol: Desk, dave: Desk, gold: dict[str, Any]
) -> None:
    _executed(carol, dave, gold)
    signer.work()
    (mint,) = services.intents_executable()
    services.intent_submitted(mint.id)
    services.intent_failed(mint.id, "reverted: NotAnAccount")
    assert services.intents_executable() == []
    intent = CustodyIntent.objects.get(pk=mint.id)
    assert (intent.state, intent.attempts, intent.error) == ("signed", 1, "reverted: NotAnAccount")
    for _ in range(29):
        services.intent_failed(mint.id, "reverted")
    intent.refresh_from_db()
    assert intent.state == "failed"
    services.intent_failed(mint.id, "reverted")
    intent.refresh_from_db()
    assert intent.attempts == 30
    services.intent_confirmed(mint.id)  # the chain's word outweighs the record's despair
    assert Issuance.objects.get().state == "minted"


def test_withdrawals_are_halted_once_and_resumed_by_two(carol: Desk, dave: Desk) -> None:
    assert selectors.withdrawals_halted() is None
    halt = services.withdrawals_halt("account 1000, asset 2 differ from sequence 9")
    assert services.withdrawals_halt("account 1000, asset 2 differ from sequence 9") == halt
    assert selectors.withdrawals_halted() == halt
    assert AuditRecord.objects.filter(action="withdrawals.halted").count() == 1
    act = act_approved(carol, dave, "custody.withdrawals_resume", halt=halt.pk)
    services.act_execute(act_id=act.id)
    assert selectors.withdrawals_halted() is None
    assert WithdrawalHalt.objects.get().lifted_by_id == act.id
    again = act_approved(dave, carol, "custody.withdrawals_resume", halt=halt.pk)
    services.act_execute(act_id=again.id)
    assert compliance_selectors.act_get(again.id).state == "failed"

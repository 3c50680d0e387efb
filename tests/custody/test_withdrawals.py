"""From a wish to the chain: debited once, covered, approved where it must be, signed once."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from eth_abi.abi import decode
from eth_account import Account as Keys
from eth_utils.crypto import keccak

from compliance import policy
from compliance import services as compliance
from compliance import signer as body_signer
from compliance.dead_letters import ATTEMPTS_DEAD, counts
from compliance.models import AuditRecord, Party
from custody import evidence, selectors, services, withdrawal_check
from custody.dead_letters import QUEUES
from custody.errors import (
    Conflict,
    DestinationIsAccount,
    Invalid,
    NotFound,
    NotYet,
    WithdrawalsHalted,
)
from custody.models import Account, BankAccount, CustodyIntent, Withdrawal
from custody.services import withdrawing
from custody.signer import CustodySigner
from matching.client import EngineClient
from matching.protocol.commands import Credit, Debit
from matching.protocol.events import ReferenceRepeated
from matching.protocol.queries import Balances, GetBalances
from tests.compliance.desks import Desk, act_approved
from tests.custody.conftest import SUSPENSE, TOKENS

pytestmark = pytest.mark.django_db
KRW, XAU = 1, 2
GRAM = 1_000
WALLET = "0x5B38Da6a701c568545dCfcB03FcB875f56beddC4"


@pytest.fixture
def clearing(keys: Any) -> body_signer.BodySigner:
    """The clearing house's key, whose word on title custody's signer believes."""
    key = body_signer.BodySigner("clearing", b"\x07" * 32)
    policy.attestor_trust("custody", key.address)
    return key


@pytest.fixture
def member(
    chain: None, signer: CustodySigner, engine_client: EngineClient, clearing: Any
) -> Account:
    """A ready account with 10 g of gold and 100,000 KRW in the engine."""
    account = services.account_open(holder=7_000_000)
    signer.work()
    services.sweep()
    signer.work()
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    BankAccount.objects.create(
        account_id=account.pk, bank="hana", number="110-222-333", holder_name="Kim Ji-woo"
    )
    for asset, units in ((XAU, 10 * GRAM), (KRW, 100_000 * 10_000)):
        engine_client.send(Credit(account.pk, asset, units, f"test:{uuid4().hex}"))
    return selectors.account_get(account.pk)


def _wish(member: Account, **changed: Any) -> Withdrawal:
    terms: dict[str, Any] = {
        "account": member.pk,
        "asset": XAU,
        "amount_units": 4 * GRAM,
        "kind": "token",
        "destination": WALLET,
        "client_reference": "W1",
        "actor": "member:test",
    }
    return services.withdrawal_request(**{**terms, **changed})


def _units(client: EngineClient, account: int, asset: int = XAU) -> int:
    reply = client.ask(GetBalances(account))
    assert isinstance(reply, Balances)
    return sum(one.available_units for one in reply.balances if one.asset == asset)


def _held(withdrawal: Withdrawal) -> int:
    """Let the engine debit; return the sequence."""
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "held", withdrawal.reason
    assert withdrawal.engine_sequence is not None
    return withdrawal.engine_sequence


def _covered(withdrawal: Withdrawal, clearing: body_signer.BodySigner) -> None:
    sequence = _held(withdrawal)
    signature = clearing.sign_typed(body_signer.coverage_typed(sequence))
    assert services.withdrawals_cover(sequence=sequence, signature=signature) == 1
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()


def _approved(first: Desk, second: Desk, withdrawal: Withdrawal, **changed: Any) -> Any:
    payload = {
        "withdrawal": str(withdrawal.pk),
        "account": withdrawal.account_id,
        "asset": withdrawal.asset_id,
        "amount_units": withdrawal.amount_units,
        "kind": withdrawal.kind,
        "destination": withdrawal.destination,
        **changed,
    }
    act = act_approved(first, second, "custody.withdraw", **payload)
    services.act_execute(act_id=act.id)
    act.refresh_from_db()
    return act


def test_token_leaves_the_account_once(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    engine_client: EngineClient,
) -> None:
    policy.limit_set("custody", "withdraw", "XAU", 4 * GRAM)
    withdrawal = _wish(member)
    assert (withdrawal.state, _wish(member).pk) == ("requested", withdrawal.pk)
    sequence = _held(withdrawal)
    assert _units(engine_client, member.pk) == 6 * GRAM
    assert (signer.work(), services.intents_executable()) == (0, [])
    signature = clearing.sign_typed(body_signer.coverage_typed(sequence))
    assert services.withdrawals_cover(sequence=sequence - 1, signature=signature) == 0
    assert services.withdrawals_cover(sequence=sequence, signature=signature) == 1
    services.sweep()
    assert signer.work() == 1
    (transfer,) = services.intents_executable()
    assert (transfer.id, transfer.target) == (withdrawal.pk, TOKENS[XAU])
    assert transfer.data[:4] == keccak(text="custodyTransfer(address,address,uint256)")[:4]
    assert decode(["address", "address", "uint256"], transfer.data[4:]) == (
        str(member.address).lower(),
        WALLET.lower(),
        4 * GRAM,
    )
    services.intent_submitted(transfer.id)
    services.intent_confirmed(transfer.id)
    services.intent_confirmed(transfer.id)
    withdrawal.refresh_from_db()
    assert withdrawal.executed_at is not None and withdrawal.closed_at is not None
    assert withdrawal.state == "completed"
    services.sweep()
    assert (signer.work(), _units(engine_client, member.pk)) == (0, 6 * GRAM)
    debit = Debit(
        member.pk,
        XAU,
        4 * GRAM,
        selectors.withdrawal_reference(withdrawal.pk, "token", WALLET),
    )
    repeated = engine_client.send(debit).events
    assert repeated == (ReferenceRepeated(debit.reference, sequence),)
    actions = AuditRecord.objects.filter(subject=f"withdrawal:{withdrawal.pk}")
    assert [record.action for record in actions.order_by("id")] == [
        "withdrawal.requested",
        "withdrawal.held",
        "withdrawal.executed",
        "withdrawal.completed",
    ]


def test_cash_is_burned_and_waits_for_the_bank(
    member: Account, clearing: body_signer.BodySigner, signer: CustodySigner
) -> None:
    policy.limit_set("custody", "withdraw", "KRW", 10**12)
    units = 50_000 * 10_000
    withdrawal = _wish(
        member, asset=KRW, amount_units=units, kind="cash", destination="hana:110-222-333"
    )
    _covered(withdrawal, clearing)
    assert signer.work() == 1
    (burn,) = services.intents_executable()
    assert burn.target == TOKENS[KRW]
    assert decode(["address", "uint256", "bytes32"], burn.data[4:]) == (
        str(member.address).lower(),
        units,
        evidence.chain_reference("withdrawal", str(withdrawal.pk)),
    )
    services.intent_confirmed(burn.id)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "executed"
    services.withdrawal_complete(withdrawal_id=withdrawal.pk)
    services.withdrawal_complete(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"


def test_more_than_the_balance_is_refused(member: Account, engine_client: EngineClient) -> None:
    withdrawal = _wish(member, amount_units=10 * GRAM + 1)
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "refused"
    assert withdrawal.reason.startswith("insufficient_balance")
    assert _units(engine_client, member.pk) == 10 * GRAM
    services.sweep()
    assert not CustodyIntent.objects.filter(pk=withdrawal.pk).exists()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"amount_units": 0}, Invalid),
        ({"amount_units": -5}, Invalid),
        ({"amount_units": 2**63}, Invalid),
        ({"kind": "gift"}, Invalid),
        ({"kind": "cash", "destination": "hana:110-222"}, Invalid),
        ({"asset": KRW, "destination": WALLET}, Invalid),
        ({"asset": 99}, Invalid),
        ({"asset": KRW, "kind": "cash", "amount_units": 10_001, "destination": "b:1234"}, Invalid),
        ({"asset": KRW, "kind": "cash", "amount_units": 10_000, "destination": "b"}, Invalid),
        ({"destination": WALLET.lower()}, Invalid),
        ({"destination": WALLET[:-1]}, Invalid),
        ({"destination": "0x" + 40 * "0"}, Invalid),
        ({"destination": TOKENS[XAU]}, Invalid),
        ({"destination": SUSPENSE}, DestinationIsAccount),
        ({"kind": "bar", "destination": "A/B/2025"}, Invalid),
        ({"kind": "bar", "destination": "A/B/2025@K"}, NotFound),
        ({"client_reference": "a b"}, Invalid),
        ({"account": 4}, Invalid),
        ({"account": 999_999}, NotFound),
    ],
)
def test_malformed_wish_is_refused(
    member: Account, changed: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        _wish(member, **changed)
    assert not Withdrawal.objects.exists()


def test_wish_is_one_per_reference_and_account(member: Account) -> None:
    withdrawal = _wish(member)
    for changed in ({"amount_units": 1}, {"destination": Keys.create().address}, {"kind": "bar"}):
        with pytest.raises(Conflict):
            _wish(member, **changed)
    assert Withdrawal.objects.get() == withdrawal
    with pytest.raises(NotFound):
        selectors.withdrawal_get(member.pk + 1, withdrawal.pk)
    assert list(selectors.withdrawals_of(member.pk)) == [withdrawal]
    assert list(selectors.withdrawals_of(member.pk + 1)) == []


def test_wish_is_cancelled_before_the_debit_only(
    member: Account, engine_client: EngineClient
) -> None:
    first, second = _wish(member), _wish(member, client_reference="W2")
    arguments: dict[str, Any] = {"account": member.pk, "actor": "member:test"}
    for _ in range(2):
        services.withdrawal_cancel(withdrawal_id=first.pk, **arguments)
    services.withdrawal_advance(withdrawal_id=first.pk)
    first.refresh_from_db()
    assert (first.state, _units(engine_client, member.pk)) == ("cancelled", 10 * GRAM)
    _held(second)
    with pytest.raises(Conflict, match="too late"):
        services.withdrawal_cancel(withdrawal_id=second.pk, **arguments)
    with pytest.raises(NotFound):
        services.withdrawal_cancel(account=2, withdrawal_id=second.pk, actor="member:other")


def test_halt_stops_wishes_debits_and_signatures_until_it_is_lifted(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    carol: Desk,
    dave: Desk,
) -> None:
    policy.limit_set("custody", "withdraw", "XAU", 10 * GRAM)
    first, second = _wish(member), _wish(member, client_reference="W2", amount_units=1)
    _covered(first, clearing)
    halt = services.withdrawals_halt("account 1000 differs")
    with pytest.raises(WithdrawalsHalted):
        _wish(member, client_reference="W3")
    with pytest.raises(WithdrawalsHalted):
        services.withdrawal_advance(withdrawal_id=second.pk)
    for _ in range(ATTEMPTS_DEAD):
        CustodyIntent.objects.update(due_at=timezone.now())
        assert (signer.work(), services.sweep()) == (0, 0)
    intent = CustodyIntent.objects.get(pk=first.pk)
    assert (intent.signature, intent.state, intent.attempts) == (None, "awaiting", 0)
    assert "withdrawals are halted" in intent.error
    second.refresh_from_db()
    assert (second.state, second.attempts) == ("requested", 0)
    assert [(one.kind, one.id, one.detail) for one in selectors.awaited_list()] == [
        ("withdrawal_halt", str(halt.pk), "account 1000 differs")
    ]
    act = act_approved(carol, dave, "custody.withdrawals_resume", halt=halt.pk)
    services.act_execute(act_id=act.id)
    assert (signer.work(), services.sweep(), list(selectors.awaited_list())) == (1, 1, [])
    for withdrawal, state in ((first, "signed"), (second, "held")):
        withdrawal.refresh_from_db()
        assert withdrawal.state == state


def test_two_officers_approve_what_exceeds_the_limit(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    carol: Desk,
    dave: Desk,
) -> None:
    withdrawal = _wish(member)
    _covered(withdrawal, clearing)
    assert signer.work() == 0
    for _ in range(ATTEMPTS_DEAD):
        CustodyIntent.objects.update(due_at=timezone.now())
        assert signer.work() == 0
    waiting = CustodyIntent.objects.get(pk=withdrawal.pk)
    assert (waiting.state, waiting.attempts) == ("awaiting", 0)
    assert "two officers" in waiting.error
    assert set(counts(QUEUES).values()) == {0}
    assert [(one.kind, one.id) for one in selectors.awaited_list()] == [
        ("withdrawal_limit", str(withdrawal.pk))
    ]
    for changed in ({"amount_units": 1}, {"destination": Keys.create().address}):
        assert _approved(carol, dave, withdrawal, **changed).state == "failed"
    assert _approved(carol, dave, withdrawal).state == "executed"
    assert _approved(dave, carol, withdrawal).state == "failed"
    assert signer.work() == 1
    withdrawal.refresh_from_db()
    assert withdrawal.state == "signed"
    assert list(selectors.awaited_list()) == []


def test_what_awaited_officers_is_a_failure_when_its_reason_is_another(
    member: Account, clearing: body_signer.BodySigner, signer: CustodySigner
) -> None:
    withdrawal = _wish(member)
    _covered(withdrawal, clearing)
    assert signer.work() == 0
    Withdrawal.objects.filter(pk=withdrawal.pk).update(cover_signature=b"\0" * 65)
    CustodyIntent.objects.update(due_at=timezone.now())
    assert signer.work() == 0
    waiting = CustodyIntent.objects.get(pk=withdrawal.pk)
    assert (waiting.state, waiting.attempts) == ("requested", 1)
    assert list(selectors.awaited_list()) == []


def test_withdrawals_of_a_day_pass_together_up_to_the_limit_and_no_further(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(withdrawal_check, "trade_date", lambda: date(2026, 11, 22))
    monkeypatch.setattr(withdrawing, "trade_date", lambda: date(2026, 11, 22))
    gold = selectors.asset_get(code="XAU")
    services.limit_set(action="withdraw", asset=gold, units=6 * GRAM, actor="process:test")
    first, second, third = (
        _wish(member, client_reference=f"D{number}", amount_units=units)
        for number, units in enumerate((4 * GRAM, 3 * GRAM, 2 * GRAM))
    )
    for withdrawal in (first, second, third):
        _covered(withdrawal, clearing)
    assert signer.work() == 2
    second.refresh_from_db()
    assert second.state == "covered"
    assert "above the day's limit" in CustodyIntent.objects.get(pk=second.pk).error

    def shown(day: date) -> list[tuple[str, str, int, int]]:
        found = selectors.limits_of(member.pk, day)
        return [(one.action, one.asset.code, one.limit_units, one.used_units) for one in found]

    assert shown(date(2026, 11, 22)) == [("withdraw", "XAU", 6 * GRAM, 6 * GRAM)]
    assert shown(date(2026, 11, 23)) == [("withdraw", "XAU", 6 * GRAM, 0)]
    # Rows that are gone free nothing: the signer counts in a file of its own.
    Withdrawal.objects.update(limit_day=None)
    CustodyIntent.objects.update(due_at=timezone.now())
    assert CustodySigner.open().work() == 0
    monkeypatch.setattr(withdrawal_check, "trade_date", lambda: date(2026, 11, 23))
    CustodyIntent.objects.update(due_at=timezone.now())
    assert signer.work() == 1
    CustodyIntent.objects.filter(pk=first.pk).update(deadline=1, due_at=timezone.now())
    assert signer.work() == 1


def test_limit_is_refused_when_it_is_no_amount(assets: None, keys: Any) -> None:
    gold = selectors.asset_get(code="XAU")
    for action, units in (("withdraw", -1), ("withdraw", 2**63), ("steal", 1)):
        with pytest.raises(Invalid):
            services.limit_set(action=action, asset=gold, units=units, actor="process:test")
    assert policy.policy_load("custody").limits == {}
    assert selectors.limits_of(1000, date(2026, 11, 22)) == []


Forgery = Callable[[Withdrawal, CustodySigner], None]


def _force(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE custody_withdrawal DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE custody_withdrawal ENABLE TRIGGER USER")


def _redirect(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    thief = Keys.create().address
    _force("UPDATE custody_withdrawal SET destination = %s", thief)
    withdrawal.refresh_from_db()
    services_data(withdrawal, signer)


def services_data(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    """Make the intent fit the forged row."""
    from custody.services.withdrawing import withdrawal_calldata

    _, data = withdrawal_calldata(withdrawal, signer.address_derive(withdrawal.account_id))
    CustodyIntent.objects.filter(pk=withdrawal.pk).update(data=data)


def _more(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    _force("UPDATE custody_withdrawal SET amount_units = amount_units * 2")
    withdrawal.refresh_from_db()
    services_data(withdrawal, signer)


def _other_asset(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    _force("UPDATE custody_withdrawal SET asset_id = 3")
    CustodyIntent.objects.filter(pk=withdrawal.pk).update(target=TOKENS[3])


def _other_data(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    CustodyIntent.objects.filter(pk=withdrawal.pk).update(data=b"\1" * 100)


def _other_account(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    CustodyIntent.objects.filter(pk=withdrawal.pk).update(account_id=2)


def _cover_forged(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    key = body_signer.BodySigner("clearing", b"\x08" * 32)
    signature = key.sign_typed(body_signer.coverage_typed(withdrawal.engine_sequence or 0))
    Withdrawal.objects.update(cover_signature=signature)


def _cover_moved(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    Withdrawal.objects.update(cover_sequence=10**9)


def _given_back(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    from matching.client import engine

    reference = selectors.return_reference(withdrawal.pk)
    engine().send(
        Credit(withdrawal.account_id, withdrawal.asset_id, withdrawal.amount_units, reference)
    )


@pytest.mark.parametrize(
    ("forge", "match"),
    [
        (_redirect, "knows no debit"),
        (_more, "the engine debited"),
        (_other_asset, "the engine debited"),
        (_other_data, "calldata differ"),
        (_other_account, "the engine debited"),
        (_cover_forged, "is attested by"),
        (_cover_moved, "is attested by"),
        (_given_back, "was given back"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tampered_row_gets_no_signature(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    forge: Forgery,
    match: str,
) -> None:
    policy.limit_set("custody", "withdraw", "XAU", 10**9)
    withdrawal = _wish(member)
    _covered(withdrawal, clearing)
    forge(withdrawal, signer)
    assert signer.work() == 0
    intent = CustodyIntent.objects.get(pk=withdrawal.pk)
    assert intent.signature is None
    assert match in intent.error


def test_wish_without_a_debit_gets_no_signature(
    member: Account, clearing: body_signer.BodySigner, signer: CustodySigner
) -> None:
    policy.limit_set("custody", "withdraw", "XAU", 10**9)
    withdrawal = _wish(member)
    signature = clearing.sign_typed(body_signer.coverage_typed(10**6))
    _force(
        "UPDATE custody_withdrawal SET state = 'covered', engine_sequence = 5,"
        " cover_sequence = 1000000, cover_signature = %s",
        signature,
    )
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    assert signer.work() == 0
    assert "knows no debit" in CustodyIntent.objects.get(pk=withdrawal.pk).error


def test_second_intent_for_a_withdrawal_gets_no_signature(
    member: Account, clearing: body_signer.BodySigner, signer: CustodySigner
) -> None:
    policy.limit_set("custody", "withdraw", "XAU", 10**9)
    withdrawal = _wish(member)
    _covered(withdrawal, clearing)
    first = CustodyIntent.objects.get(pk=withdrawal.pk)
    second = CustodyIntent.objects.create(
        kind=first.kind, target=first.target, data=bytes(first.data), account=member
    )
    assert signer.work() == 1
    second.refresh_from_db()
    assert (second.signature, "no withdrawal stands behind" in second.error) == (None, True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Withdrawal.objects.update(intent=second)


def test_terms_of_a_wish_never_change(member: Account) -> None:
    _wish(member)
    with pytest.raises(IntegrityError), transaction.atomic():
        Withdrawal.objects.update(destination=Keys.create().address)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM custody_withdrawal")
    assert Withdrawal.objects.get().destination == WALLET


def test_frozen_holders_withdrawal_goes_back_before_it_is_signed(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    engine_client: EngineClient,
) -> None:
    Party.objects.create(
        holder=member.holder, legal_name="Kim", kind="person", jurisdiction="KR", frozen=True
    )
    withdrawal = _wish(member)
    _covered(withdrawal, clearing)
    assert (withdrawal.state, withdrawal.reason) == ("returning", "the holder is frozen")
    assert _units(engine_client, member.pk) == 6 * GRAM
    services.sweep()
    services.sweep()
    withdrawal.refresh_from_db()
    assert withdrawal.state == "returned"
    assert _units(engine_client, member.pk) == 10 * GRAM
    assert not CustodyIntent.objects.filter(pk=withdrawal.pk).exists()


def test_withdrawal_the_chain_refuses_goes_back_when_its_signature_has_run_out(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    engine_client: EngineClient,
) -> None:
    policy.limit_set("custody", "withdraw", "XAU", 10**9)
    withdrawal = _wish(member)
    _covered(withdrawal, clearing)
    assert signer.work() == 1
    services.intent_failed(withdrawal.pk, "ERC20InsufficientBalance(1, 2, 3)")
    withdrawal.refresh_from_db()
    assert withdrawal.state == "signed"
    services.intent_failed(withdrawal.pk, "AccountFrozen(0x01)")
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.closed_at) == ("returning", None)
    with pytest.raises(NotYet, match="has not run out"):
        services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    assert _units(engine_client, member.pk) == 6 * GRAM
    services.sweep()
    withdrawal.refresh_from_db()
    assert withdrawal.attempts == 0  # to wait for the deadline is no failure
    ((intent, deadline),) = selectors.withdrawals_unvoided()
    assert not services.withdrawal_voided(intent_id=intent, deadline=deadline - 1)
    assert services.withdrawal_voided(intent_id=intent, deadline=deadline)
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "returned"
    assert _units(engine_client, member.pk) == 10 * GRAM
    CustodyIntent.objects.filter(pk=intent).update(due_at=timezone.now() - timedelta(hours=1))
    assert (signer.work(), services.intents_executable()) == (0, [])


def test_officers_return_a_withdrawal_they_do_not_let_go(
    member: Account,
    clearing: body_signer.BodySigner,
    signer: CustodySigner,
    engine_client: EngineClient,
    carol: Desk,
    dave: Desk,
) -> None:
    withdrawal = _wish(member)
    _covered(withdrawal, clearing)
    act = act_approved(carol, dave, "custody.withdrawal_return", withdrawal=str(withdrawal.pk))
    services.act_execute(act_id=act.id)
    assert signer.work() == 0
    services.sweep()
    withdrawal.refresh_from_db()
    assert (withdrawal.state, _units(engine_client, member.pk)) == ("returned", 10 * GRAM)
    assert CustodyIntent.objects.get(pk=withdrawal.pk).state == "void"
    again = act_approved(dave, carol, "custody.withdrawal_return", withdrawal=str(withdrawal.pk))
    services.act_execute(act_id=again.id)
    assert compliance.act_claim(act_id=again.id, body="custody").state == "failed"
    assert _units(engine_client, member.pk) == 10 * GRAM

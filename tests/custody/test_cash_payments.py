"""Money on its way out: burned, ordered, signed, paid or minted again; the venue's revenue too."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone
from msgspec.structs import asdict

from compliance import policy
from compliance.dead_letters import ATTEMPTS_DEAD, counts
from custody import selectors, services
from custody.cash_documents import BankBalance, PaymentAnswer, document_message, document_parse
from custody.dead_letters import QUEUES
from custody.errors import Conflict, EvidenceInvalid, Invalid, NotFound, NotYet
from custody.ledger import ledger_apply
from custody.models import REVENUE, Issuance, PaymentOrder, Withdrawal
from custody.models import BankBalance as BankBalanceRow
from custody.services import cash_sweep
from custody.signer import CustodySigner
from custody.statements import movement_kind
from exchange.stack.instance import REPOSITORY
from matching.client import EngineClient, engine
from matching.protocol.commands import Credit
from matching.protocol.events import Applied, Credited
from matching.protocol.queries import GetMovement, MovementFound
from tests.compliance.desks import Desk, act_approved
from tests.custody.banks import HOME, KRW, NAME, WON, Counter, counter_open

pytestmark = pytest.mark.django_db


@pytest.fixture
def counter(
    tmp_path: Path, chain: None, signer: CustodySigner, engine_client: EngineClient
) -> Counter:
    """A member with 100,000 won."""
    opened = counter_open(tmp_path / "bank", signer)
    opened.funded(100_000)
    return opened


def _closed_by(order: PaymentOrder, withdrawal: Withdrawal) -> str:
    """Return how a withdrawal ended, which it did when the bank's answer to this order came."""
    order.refresh_from_db()
    withdrawal.refresh_from_db()
    assert order.sent_at and order.answered_at and withdrawal.executed_at and withdrawal.closed_at
    assert withdrawal.executed_at < order.sent_at < order.answered_at <= withdrawal.closed_at
    return str(withdrawal.state)


def test_withdrawal_is_paid_once_and_completed(counter: Counter) -> None:
    withdrawal = counter.burned(40_000)
    assert counter.won() == 60_000 * WON
    order = counter.ordered(withdrawal.pk)
    assert (order.bank_id, f"{order.to_bank}:{order.to_number}") == ("hana", HOME)
    assert (order.to_name, order.amount, order.currency) == (NAME, 40_000, "KRW")
    assert selectors.cash_unpaid("KRW") == 40_000
    first, again = counter.answered(), counter.answered()
    assert first == again
    order.refresh_from_db()
    withdrawal.refresh_from_db()
    assert (order.state, withdrawal.state, withdrawal.closed_at) == ("sent", "executed", None)
    unanswered = selectors.awaited_totals()["payment_answer"]
    assert (unanswered.count, unanswered.since) == (1, order.sent_at)
    output = StringIO()
    call_command("awaited_list", stdout=output)
    stamp = f"{order.sent_at:%F %T}"
    assert output.getvalue() == f"payment_answer {order.pk}: since {stamp}, 40000 KRW at hana\n"
    for answer in (*first, *again):
        assert services.payment_answer_receive(document=answer).state == "paid"
    assert (_closed_by(order, withdrawal), counter.balance()) == ("completed", 60_000)
    assert services.payments_send() == []
    assert selectors.cash_unpaid("KRW") == 0
    assert {total.count for total in selectors.awaited_totals().values()} == {0}
    services.sweep()
    services.withdrawal_payment_request(withdrawal_id=withdrawal.pk)
    assert (PaymentOrder.objects.count(), Issuance.objects.count()) == (1, 1)


def test_rejected_payment_is_minted_again(counter: Counter) -> None:
    withdrawal = counter.burned(40_000)
    counter.ordered()
    counter.bank.account_close(HOME)
    (answer,) = counter.answered()
    for _ in range(2):
        services.payment_answer_receive(document=answer)
    assert _closed_by(PaymentOrder.objects.get(), withdrawal) == "returned"
    assert withdrawal.reason == "bank: account closed"
    assert counter.won() == 60_000 * WON
    assert counter.carried() == 1
    assert (counter.won(), counter.balance()) == (100_000 * WON, 100_000)
    assert counter.carried() == 0
    issuance = Issuance.objects.get(rejection=withdrawal.pk)
    assert (issuance.state, issuance.account_id) == ("credited", counter.account.pk)
    reference = f"withdrawal:{withdrawal.pk.hex}:rejected"
    found = engine().ask(GetMovement(reference))
    assert isinstance(found, MovementFound)
    assert found.command == Credit(counter.account.pk, KRW, 40_000 * WON, reference)
    assert selectors.issuance_credited_as(reference) == issuance
    assert selectors.issuance_credited_as(f"mint:{issuance.pk}") == issuance
    assert movement_kind("credit", reference) == "return"


def test_answer_is_refused_when_it_is_about_another_payment(counter: Counter) -> None:
    withdrawal = counter.burned(40_000)
    order = counter.ordered()
    (answer,) = counter.answered()

    def signed(**changed: Any) -> dict[str, Any]:
        document = {**answer, **changed}
        parsed = document_parse(PaymentAnswer, document)
        message = document_message(settings.INSTANCE_ID, parsed)
        return {**document, "signature": counter.bank._key.sign(message).hex()}

    with pytest.raises(EvidenceInvalid):
        services.payment_answer_receive(document={**answer, "outcome": "rejected"})
    with pytest.raises(EvidenceInvalid, match="another payment"):
        services.payment_answer_receive(document=signed(amount=39_999))
    for unknown in ("00000000-0000-0000-0000-000000000000", "none"):
        with pytest.raises(NotFound):
            services.payment_answer_receive(document=signed(order_id=unknown))
    order.refresh_from_db()
    withdrawal.refresh_from_db()
    assert (order.state, order.answer, withdrawal.state) == ("sent", None, "executed")
    services.payment_answer_receive(document=answer)
    with pytest.raises(Conflict, match="other content"):
        services.payment_answer_receive(document=signed(outcome="rejected", reason="late"))
    assert Issuance.objects.count() == 1


def test_payment_is_ordered_only_after_the_burn(counter: Counter) -> None:
    withdrawal = services.withdrawal_request(
        account=counter.account.pk,
        asset=KRW,
        amount_units=WON,
        kind="cash",
        destination=HOME,
        client_reference="early",
        actor="process:test",
    )
    with pytest.raises(NotYet):
        services.withdrawal_payment_request(withdrawal_id=withdrawal.pk)
    assert not PaymentOrder.objects.exists()
    counter.executed(withdrawal)
    services.withdrawal_payment_request(withdrawal_id=withdrawal.pk)
    assert PaymentOrder.objects.get().state == "due"
    with pytest.raises(IntegrityError), transaction.atomic():
        PaymentOrder.objects.update(to_number="666-666")


def test_signer_refuses_a_payment_that_rows_alone_ask_for(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as unswept:
        unswept.setattr(cash_sweep, "payments_missing", lambda limit: [])
        withdrawal = counter.burned(40_000)
    good = PaymentOrder(
        id=withdrawal.pk,
        withdrawal=withdrawal,
        bank_id="hana",
        to_bank="kb",
        to_number="110-222-333",
        to_name=NAME,
        currency="KRW",
        amount=40_000,
    )
    for name, value, error in (
        ("amount", 40_001, "not what the engine debited"),
        ("to_number", "666-666", "goes elsewhere"),
        ("to_name", "Lee Min-ho", "does not hold account"),
        ("currency", "USD", "no money of this house"),
    ):
        with transaction.atomic():
            point = transaction.savepoint()
            terms = {field.attname: getattr(good, field.attname) for field in good._meta.fields}
            PaymentOrder.objects.create(**{**terms, name: value})
            counter.signer.payments_sign()
            order = PaymentOrder.objects.get()
            assert (order.state, order.signature) == ("due", None)
            assert error in order.error
            transaction.savepoint_rollback(point)
    policy.limit_set("custody", "withdraw", "KRW", 39_999 * WON)
    (allowed,) = (Path(settings.KEYS) / "custody.allowance").iterdir()
    allowed.unlink()  # as if the signer had never let the burn through
    services.sweep()
    counter.signer.payments_sign()
    assert "two officers" in PaymentOrder.objects.get().error
    assert services.payments_send() == []


def test_bank_pays_only_what_custody_signed(counter: Counter) -> None:
    counter.burned(40_000)
    counter.ordered()
    (order,) = services.payments_send()
    for changed in ({"amount": 50_000}, {"to_number": "666-666"}, {"signature": "0" * 128}):
        with pytest.raises(PermissionError):
            counter.bank.pay({**order, **changed})
    assert counter.balance() == 100_000


def test_revenue_leaves_once_a_day_in_whole_won(counter: Counter) -> None:
    day, next_day = date(2026, 11, 22), date(2026, 11, 23)
    services.account_prepare(number=REVENUE)
    counter.carried()
    services.account_prepare(number=REVENUE)
    counter.carried()
    assert selectors.account_get(REVENUE).ready
    before = counter.won(REVENUE)
    engine().send(Credit(REVENUE, KRW, 12_345 * WON + 6_789 - before, f"fees:{counter.number}"))
    assert services.revenue_sweep(day=day) is None
    services.bank_account_register(
        account=REVENUE, bank="nh", number="301-0000", holder_name="Nexus", actor="process:test"
    )
    sweep = services.revenue_sweep(day=day)
    assert sweep is not None
    assert (sweep.amount_units, sweep.destination) == (12_345 * WON, "nh:301-0000")
    counter.executed(sweep)
    assert services.revenue_sweep(day=day) == sweep
    assert counter.won(REVENUE) == 6_789
    assert services.revenue_sweep(day=next_day) is None
    order = counter.ordered(sweep.pk)
    assert (order.to_name, order.amount) == ("Nexus", 12_345)
    (answer,) = counter.answered()
    services.payment_answer_receive(document=answer)
    sweep.refresh_from_db()
    assert (sweep.state, counter.balance()) == ("completed", 100_000 - 12_345)
    assert Withdrawal.objects.count() == 1


def test_withdrawal_of_a_fraction_of_a_won_is_refused(counter: Counter) -> None:
    with pytest.raises(Invalid):
        services.withdrawal_request(
            account=counter.account.pk,
            asset=KRW,
            amount_units=WON + 1,
            kind="cash",
            destination=HOME,
            client_reference="fraction",
            actor="process:test",
        )
    assert not Withdrawal.objects.exists()


def test_withdrawal_to_an_unregistered_bank_account_is_refused(counter: Counter) -> None:
    with pytest.raises(Invalid, match="not registered"):
        services.withdrawal_request(
            account=counter.account.pk,
            asset=KRW,
            amount_units=WON,
            kind="cash",
            destination="kb:666-666",
            client_reference="elsewhere",
            actor="process:test",
        )
    assert not Withdrawal.objects.exists()


def test_withdrawal_above_the_limit_is_paid_when_two_officers_approve(
    counter: Counter, carol: Desk, dave: Desk
) -> None:
    policy.limit_set("custody", "withdraw", "KRW", 0)
    withdrawal = services.withdrawal_request(
        account=counter.account.pk,
        asset=KRW,
        amount_units=40_000 * WON,
        kind="cash",
        destination=HOME,
        client_reference="large",
        actor="process:test",
    )
    act = act_approved(
        carol,
        dave,
        "custody.withdraw",
        withdrawal=str(withdrawal.pk),
        account=counter.account.pk,
        asset=KRW,
        amount_units=40_000 * WON,
        kind="cash",
        destination=HOME,
    )
    services.act_execute(act_id=act.id)
    counter.executed(withdrawal)
    assert counter.ordered().state == "signed"


def _bank(folder: Path, *arguments: str, given: str = "") -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "custody.sandbox.bank", "--folder", str(folder), *arguments],
        cwd=REPOSITORY,
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _manage(*arguments: str, capsys: pytest.CaptureFixture[str]) -> Any:
    call_command(*arguments)
    return json.loads(capsys.readouterr().out)


def test_payment_waits_for_the_end_of_a_halt_and_is_no_failure(
    counter: Counter, carol: Desk, dave: Desk
) -> None:
    withdrawal = counter.burned(40_000)
    halt = services.withdrawals_halt("account 1000 differs")
    services.sweep()
    for _ in range(ATTEMPTS_DEAD):
        PaymentOrder.objects.update(due_at=timezone.now())
        assert counter.signer.work() == 0
    order = PaymentOrder.objects.get(pk=withdrawal.pk)
    assert (order.state, order.signature, order.attempts) == ("due", None, 0)
    assert order.error == "withdrawals are halted: account 1000 differs"
    assert set(counts(QUEUES).values()) == {0}
    act = act_approved(carol, dave, "custody.withdrawals_resume", halt=halt.pk)
    services.act_execute(act_id=act.id)
    assert counter.ordered(withdrawal.pk).error == ""


def test_bank_and_exchange_work_by_files_alone(
    counter: Counter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = tmp_path / "bank", tmp_path / "document.json"
    public_key = (Path(settings.KEYS) / "custody.payments.pub").read_text().strip()
    assert _bank(folder, "trust", public_key) == {"custody_key": public_key}
    paid_in = ("--to", counter.number, "--payer", NAME, "--amount", "5000")
    file.write_text(json.dumps(_bank(folder, "deposit", *paid_in)))
    received = _manage("bank_notice_receive", str(file), capsys=capsys)
    assert (received["state"], received["reason"]) == ("accepted", "")
    withdrawal = counter.burned(40_000)
    counter.ordered()
    payments = _manage("payment_orders_send", capsys=capsys)
    answers = _bank(folder, "pay", "-", given=json.dumps(payments))
    file.write_text(json.dumps(answers))
    told = _manage("payment_answers_receive", str(file), capsys=capsys)
    assert told == {str(withdrawal.pk): "paid"}
    balance = _bank(folder, "balance")
    assert (balance["bank"], balance["amount"]) == ("hana", 65_000)
    file.write_text("{}")
    with pytest.raises(CommandError):
        call_command("payment_answers_receive", str(file))


def test_bank_loads_no_django() -> None:
    code = "import sys, custody.sandbox.bank; print('django' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_bank_must_hold_what_its_own_documents_add_up_to(counter: Counter) -> None:
    def held() -> tuple[int, int]:
        (one,) = selectors.bank_holdings()
        return one.held_units // WON, one.due_units // WON

    def told(minutes: int, **changed: Any) -> dict[str, Any]:
        moment = datetime.now(UTC) + timedelta(minutes=minutes)
        stated = {
            "bank": "hana",
            "currency": "KRW",
            "amount": counter.balance(),
            "booked_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        document = document_parse(BankBalance, stated | changed)
        signature = counter.bank._key.sign(document_message(counter.bank.instance, document))
        return {**asdict(document), "signature": signature.hex()}

    assert selectors.bank_holdings() == []
    services.bank_balance_receive(document=told(-1))
    assert held() == (100_000, 0)
    services.bank_balance_receive(document=told(1))
    assert held() == (100_000, 100_000)
    counter.burned(40_000)
    counter.ordered()
    assert held() == (100_000, 60_000)
    for answer in counter.answered():
        services.payment_answer_receive(document=answer)
    services.bank_balance_receive(document=told(2))
    assert held() == (60_000, 60_000)
    short = told(3, amount=59_999)
    for _ in range(2):
        services.bank_balance_receive(document=short)
    assert held() == (59_999, 60_000)
    for changed, error in (
        ({"signature": "0" * 128}, EvidenceInvalid),
        ({"booked_at": "2026-11-31T00:00:00Z"}, EvidenceInvalid),
        ({"amount": 70_000}, EvidenceInvalid),
    ):
        with pytest.raises(error):
            services.bank_balance_receive(document=short | changed)
    with pytest.raises(NotFound, match="no money of this house"):
        services.bank_balance_receive(document=told(4, currency="USD"))
    with pytest.raises(IntegrityError), transaction.atomic():
        BankBalanceRow.objects.update(amount=60_000)
    assert held() == (59_999, 60_000)


def test_segregated_money_is_held_against_what_is_owed(
    counter: Counter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def credited(sequence: int, units: int) -> None:
        event = Credited(counter.account.pk, KRW, units, f"test:{sequence}")
        ledger_apply([Applied(sequence, sequence, (event,))])

    credited(1, 100_000 * WON)
    services.cash_deposit_receive(document=counter.notice(7, payer="Lee Min-ho"))
    file = tmp_path / "balance.json"
    file.write_text(counter.bank.balance("KRW"))
    found = _manage("bank_balances_check", str(file), capsys=capsys)
    assert found == {"currency": "KRW", "held": 100_007, "owed": 100_007}
    credited(2, 1)
    with pytest.raises(CommandError, match="1 KRW are missing"):
        call_command("bank_balances_check", str(file))
    with pytest.raises(CommandError, match="another bank"):
        call_command("bank_balances_check", str(file), str(file))

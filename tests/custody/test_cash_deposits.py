"""Money paid into a virtual account: matched and minted, or in review until officers decide."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, transaction

from compliance import intent_life, policy
from compliance import selectors as compliance_selectors
from compliance.models import Party
from custody import banking, selectors, services
from custody.cash_documents import DepositNotice, document_message, document_parse
from custody.errors import Conflict, EvidenceInvalid, Invalid, NameDiffers
from custody.models import BankAccount, CashDeposit, CustodyIntent, Issuance, PaymentOrder
from custody.services.issuance import issuance_signed
from custody.signer import CustodySigner
from custody.trade_dates import trade_date
from matching.client import EngineClient
from tests.compliance.desks import Desk, act_approved
from tests.custody.banks import HOME, NAME, WON, Counter, bank_admit, counter_open

pytestmark = pytest.mark.django_db


@pytest.fixture
def counter(
    tmp_path: Path, chain: None, signer: CustodySigner, engine_client: EngineClient
) -> Counter:
    return counter_open(tmp_path / "bank", signer)


def _nothing_moved(counter: Counter) -> None:
    assert counter.carried() == 0
    assert not Issuance.objects.exists()
    assert counter.won() == 0


def _decided(carol: Desk, dave: Desk, kind: str, **payload: Any) -> str:
    act = act_approved(carol, dave, kind, **payload)
    services.act_execute(act_id=act.id)
    return str(compliance_selectors.act_get(act.id).state)


def test_member_has_a_number_that_says_whose_it_is(counter: Counter) -> None:
    account = counter.account.pk
    assert counter.number == banking.virtual_account_number(account)
    assert counter.number.startswith(f"790{account:010d}")
    digits = [int(digit) for digit in reversed(counter.number)]
    doubled = [d * 2 - 9 * (d > 4) if place % 2 else d for place, d in enumerate(digits)]
    assert sum(doubled) % 10 == 0
    assert services.virtual_account_open(number=account) is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        selectors.virtual_account_get(account).delete()


def test_matching_deposit_is_credited_once_on_the_banks_word(counter: Counter) -> None:
    document = counter.notice(250_000)
    for _ in range(3):
        deposit = services.cash_deposit_receive(document=document)
        assert (deposit.state, deposit.reason) == ("accepted", "")
    for _ in range(3):
        services.cash_deposit_mint(notice_id=deposit.pk)
    issuance = Issuance.objects.get()
    assert (issuance.act, issuance.amount_units) == (None, 250_000 * WON)
    assert counter.carried() == 1
    assert counter.won() == 250_000 * WON
    assert counter.carried() == 0
    assert services.cash_deposit_receive(document=document).pk == deposit.pk
    services.sweep()
    assert counter.won() == 250_000 * WON
    assert selectors.cash_unpaid("KRW") == 0


def test_banks_spelling_of_a_name_is_recognised(counter: Counter) -> None:
    for payer in ("KIM JIWOO", "kim ji woo", "Ｋｉｍ　Ｊｉ－ｗｏｏ", "Kim, Ji-Woo"):
        deposit = services.cash_deposit_receive(document=counter.notice(1_000, payer=payer))
        assert deposit.state == "accepted", payer


def test_deposit_waits_in_review_when_it_does_not_match(counter: Counter) -> None:
    doubts: tuple[tuple[dict[str, Any], str], ...] = (
        ({"payer": "Kim Ji-won"}, "name_differs"),
        ({"payer": "---"}, "name_differs"),
        ({"number": "79000000099990"}, "virtual_account_unknown"),
        ({"currency": "USD"}, "currency_unknown"),
        ({"currency": "XAU"}, "currency_unknown"),
        ({"amount": 0}, "amount_below_minimum"),
        ({"amount": 999}, "amount_below_minimum"),
        ({"amount": 1_000_001}, "amount_above_limit"),
        ({"amount": 1_000_001, "payer": "Kim Ji-won"}, "name_differs"),
    )
    for changed, reason in doubts:
        document = counter.notice(**{"amount": 5_000, **changed})
        deposit = services.cash_deposit_receive(document=document)
        assert (deposit.state, deposit.reason) == ("review", reason)
        services.cash_deposit_mint(notice_id=deposit.pk)
    assert [one.reason for one in selectors.cash_deposits_held()] == [why for _, why in doubts]
    _nothing_moved(counter)


def test_wrong_amount_is_listed_and_goes_as_officers_say(
    counter: Counter, carol: Desk, dave: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    def held() -> list[tuple[str, str, int]]:
        call_command("cash_deposits_held")
        found = json.loads(capsys.readouterr().out)["deposits"]
        return [(one["notice_id"], one["reason"], one["notice"]["amount"]) for one in found]

    amounts = (999, 1_000_000, 1_000_001, 1_000_002)
    small, whole, large, larger = (
        services.cash_deposit_receive(document=counter.notice(amount)) for amount in amounts
    )
    assert held() == [
        (small.pk, "amount_below_minimum", 999),
        (large.pk, "amount_above_limit", 1_000_001),
        (larger.pk, "amount_above_limit", 1_000_002),
    ]
    for deposit in (small, large):
        units = {"account": counter.account.pk, "amount_units": deposit.amount * WON}
        stated = {"notice_id": deposit.pk, **units}
        assert _decided(carol, dave, "custody.deposit_accept", **stated) == "executed"
    assert _decided(carol, dave, "custody.deposit_return", notice_id=larger.pk) == "executed"
    services.sweep()
    assert counter.carried() == 3
    assert counter.won() == (999 + whole.amount + 1_000_001) * WON
    (paid,) = counter.answered()
    services.payment_answer_receive(document=paid)
    larger.refresh_from_db()
    assert (larger.state, held(), counter.balance()) == ("returned", [], 2_001_000)


def test_deposit_of_another_bank_waits_in_review(counter: Counter, tmp_path: Path) -> None:
    other = bank_admit(tmp_path / "other", "woori")
    counter.bank = other
    deposit = services.cash_deposit_receive(document=counter.notice(5_000))
    assert (deposit.state, deposit.reason) == ("review", "virtual_account_unknown")
    assert [(one.kind, one.id, one.detail) for one in selectors.awaited_list()] == [
        ("deposit_review", deposit.pk, "5000 KRW at woori: virtual_account_unknown")
    ]
    _nothing_moved(counter)


def test_notice_is_refused_when_it_is_not_the_banks(counter: Counter) -> None:
    document = counter.notice(5_000)
    for changed in (
        {"amount": 5_001},
        {"amount": True},
        {"amount": -1},
        {"amount": 10**15},
        {"virtual_account": counter.number + "\n"},
        {"depositor_name": "\ud800"},
        {"signature": "0" * 128},
        {"bank": "nobody"},
        {"more": 1},
    ):
        with pytest.raises(EvidenceInvalid):
            services.cash_deposit_receive(document={**document, **changed})
    assert not CashDeposit.objects.exists()
    services.cash_deposit_receive(document=document)
    with pytest.raises(IntegrityError), transaction.atomic():
        CashDeposit.objects.update(amount=6_000)


def test_notice_is_refused_when_its_id_was_used_for_another(counter: Counter) -> None:
    document = counter.notice(5_000)
    services.cash_deposit_receive(document=document)
    second = counter.notice(6_000)
    renamed = {**second, "notice_id": document["notice_id"]}
    message = document_message(settings.INSTANCE_ID, document_parse(DepositNotice, renamed))
    renamed["signature"] = counter.bank._key.sign(message).hex()
    with pytest.raises(Conflict, match="other content"):
        services.cash_deposit_receive(document=renamed)
    assert CashDeposit.objects.get().amount == 5_000


def test_deposits_of_a_day_are_minted_together_up_to_the_limit(counter: Counter) -> None:
    won = selectors.asset_get(code="KRW")
    services.limit_set(action="deposit", asset=won, units=5_000 * WON, actor="process:test")
    for amount in (3_000, 2_001):
        services.cash_deposit_receive(document=counter.notice(amount))
    services.sweep()
    assert counter.carried() == 1
    waiting = CustodyIntent.objects.get(kind="mint", state="awaiting")
    assert "above the day's limit" in waiting.error
    (held,) = selectors.awaited_list()
    assert (held.kind, held.detail) == (
        "deposit_limit",
        f"2001 KRW at hana for account {counter.account.pk}",
    )
    assert counter.won() == 3_000 * WON
    (used,) = selectors.limits_of(counter.account.pk, trade_date())
    assert (used.action, used.limit_units, used.used_units) == (
        "deposit",
        5_000 * WON,
        3_000 * WON,
    )


def test_deposit_above_the_limit_needs_two_officers(
    counter: Counter, carol: Desk, dave: Desk
) -> None:
    policy.limit_set("custody", "deposit", "KRW", 4_999 * WON)
    deposit = services.cash_deposit_receive(document=counter.notice(5_000))
    services.sweep()
    assert counter.carried() == 0
    assert "custody.deposit_accept" in CustodyIntent.objects.get(kind="mint").error
    payload = {"notice_id": deposit.pk, "account": counter.account.pk}
    for wrong in ({"amount_units": 5_001 * WON}, {"account": counter.account.pk + 1}):
        stated = {**payload, "amount_units": 5_000 * WON, **wrong}
        assert _decided(carol, dave, "custody.deposit_accept", **stated) == "failed"
    assert counter.carried() == 0
    units = 5_000 * WON
    assert _decided(carol, dave, "custody.deposit_accept", **payload, amount_units=units) == (
        "executed"
    )
    assert counter.carried() == 1
    assert counter.won() == units


def test_officers_send_a_deposit_above_the_rest_of_the_limit_back(
    counter: Counter, carol: Desk, dave: Desk
) -> None:
    policy.limit_set("custody", "deposit", "KRW", 4_999 * WON)
    deposit = services.cash_deposit_receive(document=counter.notice(5_000))
    services.sweep()
    assert counter.carried() == 0
    intent = CustodyIntent.objects.get(kind="mint", state="awaiting")
    assert _decided(carol, dave, "custody.deposit_return", notice_id=deposit.pk) == "executed"
    policy.limit_set("custody", "deposit", "KRW", 5_000 * WON)
    # The signer had looked at the mint before, and comes with its signature after.
    assert not intent_life.intent_signed(
        intent, body="custody", signature=b"\1" * 65, deadline=2**40, then=issuance_signed
    )
    intent.refresh_from_db()
    assert (intent.state, intent.signature, list(selectors.awaited_list())) == ("void", None, [])
    services.cash_deposit_mint(notice_id=deposit.pk)
    order = counter.ordered()
    assert (f"{order.to_bank}:{order.to_number}", order.amount) == (HOME, 5_000)
    CashDeposit.objects.update(state="accepted", act=None)
    services.sweep()
    assert counter.carried() == 0
    assert "sent deposit" in CustodyIntent.objects.get(kind="mint", state="requested").error
    assert counter.won() == 0


def test_deposit_is_not_returned_when_its_mint_was_signed(
    counter: Counter, carol: Desk, dave: Desk
) -> None:
    deposit = services.cash_deposit_receive(document=counter.notice(5_000))
    services.sweep()
    counter.signer.work()
    assert _decided(carol, dave, "custody.deposit_return", notice_id=deposit.pk) == "failed"
    assert counter.carried() == 1
    deposit.refresh_from_db()
    assert (deposit.state, counter.won()) == ("accepted", 5_000 * WON)
    assert not PaymentOrder.objects.exists()


def test_signer_refuses_a_deposit_that_rows_alone_give_to_somebody_else(counter: Counter) -> None:
    document = counter.notice(5_000, number="79000000099990")
    deposit = services.cash_deposit_receive(document=document)
    CashDeposit.objects.filter(pk=deposit.pk).update(
        state="accepted", reason="", account=counter.account
    )
    services.sweep()
    assert counter.carried() == 0
    assert "is not for account" in CustodyIntent.objects.get(kind="mint").error
    assert counter.won() == 0


def test_signer_refuses_a_bank_that_its_policy_does_not_list(
    tmp_path: Path, counter: Counter
) -> None:
    rogue = bank_admit(tmp_path / "rogue", "rogue", trusted=False)
    counter.bank = rogue
    deposit = services.cash_deposit_receive(document=counter.notice(5_000))
    CashDeposit.objects.filter(pk=deposit.pk).update(
        state="accepted", reason="", account=counter.account
    )
    services.sweep()
    assert counter.carried() == 0
    assert "no bank called 'rogue'" in CustodyIntent.objects.get(kind="mint").error
    assert counter.won() == 0


def test_officers_give_a_deposit_in_review_to_a_member(
    counter: Counter, carol: Desk, dave: Desk
) -> None:
    deposit = services.cash_deposit_receive(document=counter.notice(7_000, payer="Kim's mother"))
    payload = {
        "notice_id": deposit.pk,
        "account": counter.account.pk,
        "amount_units": 7_000 * WON,
    }
    assert selectors.cash_unpaid("KRW") == 7_000
    assert _decided(carol, dave, "custody.deposit_accept", **payload) == "executed"
    services.sweep()
    assert counter.carried() == 1
    assert (counter.won(), selectors.cash_unpaid("KRW")) == (7_000 * WON, 0)
    assert _decided(carol, dave, "custody.deposit_return", notice_id=deposit.pk) == "failed"
    assert not PaymentOrder.objects.exists()


def test_officers_send_a_deposit_back_to_its_payer(
    counter: Counter, carol: Desk, dave: Desk
) -> None:
    stranger = {"payer": "Lee Min-ho", "source": "shinhan:1002-000"}
    deposit = services.cash_deposit_receive(document=counter.notice(9_000, **stranger))
    assert _decided(carol, dave, "custody.deposit_return", notice_id=deposit.pk) == "executed"
    deposit.refresh_from_db()
    assert (deposit.state, counter.balance()) == ("returning", 9_000)
    order = counter.ordered()
    assert (order.to_bank, order.to_number, order.to_name, order.amount) == (
        "shinhan",
        "1002-000",
        "Lee Min-ho",
        9_000,
    )
    counter.bank.account_close("shinhan:1002-000")
    (rejected,) = counter.answered()
    services.payment_answer_receive(document=rejected)
    deposit.refresh_from_db()
    assert (deposit.state, deposit.reason) == ("review", "return_rejected: account closed")
    assert counter.balance() == 9_000
    counter.bank._books.execute("DELETE FROM closed_account")
    assert _decided(carol, dave, "custody.deposit_return", notice_id=deposit.pk) == "executed"
    counter.signer.work()
    (paid,) = counter.answered()
    services.payment_answer_receive(document=paid)
    deposit.refresh_from_db()
    assert (deposit.state, counter.balance(), counter.won()) == ("returned", 0, 0)
    assert not Issuance.objects.exists()


def test_bank_account_is_the_members_own(counter: Counter) -> None:
    account = counter.account.pk
    own: dict[str, Any] = {"account": account, "bank": "kb", "actor": "process:test"}
    again = services.bank_account_register(**own, number="110-222-333", holder_name=NAME)
    assert f"{again.bank}:{again.number}" == HOME
    for number in ("999-999", "110-222-333"):
        with pytest.raises(NameDiffers):
            services.bank_account_register(**own, number=number, holder_name="Lee Min-ho")
    for number, name in (("1:2", NAME), ("", NAME), ("110-1", ""), ("110-1", "Kim\nJi-woo")):
        with pytest.raises(Invalid):
            services.bank_account_register(**own, number=number, holder_name=name)
    Party.objects.update(legal_name="Kim Ji-won")
    with pytest.raises(NameDiffers, match="registered in another name"):
        services.bank_account_register(**own, number="110-222-333", holder_name="Kim Ji-won")
    assert BankAccount.objects.get().holder_name == NAME

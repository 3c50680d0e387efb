"""A member with money at a sandbox bank, and every step between bank, custody, engine and chain."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from compliance import policy
from compliance import services as compliance
from compliance import signer as body_signer
from custody import selectors, services
from custody.models import Account, PaymentOrder, Withdrawal
from custody.sandbox.bank import Bank
from custody.signer import CustodySigner
from matching.client import engine
from matching.protocol.queries import Balances, GetBalances

KRW = 1
WON = 10_000
NAME = "Kim Ji-woo"
HOME = "kb:110-222-333"


@dataclass
class Counter:
    """A member's account with its virtual number, the bank, and custody's signer."""

    bank: Bank
    signer: CustodySigner
    clearing: body_signer.BodySigner
    account: Account

    @property
    def number(self) -> str:
        return selectors.virtual_account_get(self.account.pk).number

    def notice(self, amount: int, **changed: Any) -> dict[str, Any]:
        """Return the bank's signed notice of whole won from the member, unless told otherwise."""
        terms = {"number": self.number, "payer": NAME, "source": HOME, "currency": "KRW", **changed}
        document: dict[str, Any] = json.loads(self.bank.deposit(amount=amount, **terms))
        return document

    def carried(self) -> int:
        """Sign what waits, let the chain hold it, and sweep; return how many were carried."""
        self.signer.work()
        intents = services.intents_executable()
        for intent in intents:
            services.intent_submitted(intent.id)
            services.intent_confirmed(intent.id)
        services.sweep()
        return len(intents)

    def funded(self, amount: int) -> None:
        """Pay in whole won, up to the engine's credit."""
        services.cash_deposit_receive(document=self.notice(amount))
        services.sweep()
        assert self.carried() == 1
        assert self.won() == amount * WON

    def burned(self, amount: int, reference: str = "w1") -> Withdrawal:
        """Withdraw whole won to the member's bank account, up to the final burn."""
        withdrawal = services.withdrawal_request(
            account=self.account.pk,
            asset=KRW,
            amount_units=amount * WON,
            kind="cash",
            destination=HOME,
            client_reference=reference,
            actor="process:test",
        )
        return self.executed(withdrawal)

    def executed(self, withdrawal: Withdrawal) -> Withdrawal:
        """Take a requested withdrawal through debit, cover and burn."""
        services.withdrawal_advance(withdrawal_id=withdrawal.pk)
        withdrawal.refresh_from_db()
        assert withdrawal.state == "held", withdrawal.reason
        assert withdrawal.engine_sequence is not None
        typed = body_signer.coverage_typed(withdrawal.engine_sequence)
        services.withdrawals_cover(
            sequence=withdrawal.engine_sequence, signature=self.clearing.sign_typed(typed)
        )
        services.withdrawal_advance(withdrawal_id=withdrawal.pk)
        assert self.carried() == 1
        withdrawal.refresh_from_db()
        assert withdrawal.state == "executed"
        return withdrawal

    def ordered(self, order_id: UUID | None = None) -> PaymentOrder:
        """Have the waiting payment order signed, and return it."""
        services.sweep()
        self.signer.work()
        order = PaymentOrder.objects.get(**({"pk": order_id} if order_id else {}))
        assert order.state == "signed", order.error
        return order

    def answered(self) -> list[dict[str, Any]]:
        """Hand the signed orders to the bank; return its signed answers."""
        return [json.loads(self.bank.pay(order)) for order in services.payments_send()]

    def won(self, account: int | None = None) -> int:
        """Return units of 0.0001 KRW that the engine keeps for an account."""
        reply = engine().ask(GetBalances(account or self.account.pk))
        assert isinstance(reply, Balances)
        return sum(one.available_units for one in reply.balances if one.asset == KRW)

    def balance(self) -> int:
        """Return whole won in the segregated account, as the bank signs it."""
        return int(json.loads(self.bank.balance("KRW"))["amount"])


def bank_admit(folder: Path, name: str, *, trusted: bool = True) -> Bank:
    """Found a sandbox bank and make it known; custody's signer trusts it unless told not to."""
    bank = Bank.found(folder, name, settings.INSTANCE_ID)
    key = bytes.fromhex(bank.public_key)
    services.evidence_key_create(name=name, kind="bank", public_key=key, actor="process:test")
    if trusted:
        policy.evidence_trust("custody", name, "bank", key)
    return bank


def counter_open(folder: Path, signer: CustodySigner) -> Counter:
    """Open a member's account with a virtual number, known to engine and chain."""
    bank = bank_admit(folder, "hana")
    bank.trust(signer.payment_public_key)
    party = compliance.party_apply(
        legal_name=NAME, kind="person", jurisdiction="KR", actor="process:test"
    )
    account = services.account_open(holder=party.holder)
    secret = b"\x07" * 32
    clearing = body_signer.BodySigner("clearing", secret)
    policy.attestor_trust("custody", clearing.address)
    won = selectors.asset_get(code="KRW")
    services.limit_set(action="deposit", asset=won, units=1_000_000 * WON, actor="process:test")
    policy.limit_set("custody", "withdraw", "KRW", 1_000_000 * WON)
    services.bank_account_register(
        account=account.pk, bank="kb", number="110-222-333", holder_name=NAME, actor="process:test"
    )
    counter = Counter(bank, signer, clearing, account)
    counter.carried()
    services.sweep()
    counter.carried()
    account.refresh_from_db()
    assert account.ready
    return counter

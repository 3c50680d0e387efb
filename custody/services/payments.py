"""Payment orders: what leaves the segregated account, and the bank's word on each."""

from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from compliance import intent_life
from compliance import services as compliance
from custody import locks, selectors
from custody.cash_documents import (
    PAYMENT_REJECTION,
    DepositNotice,
    PaymentAnswer,
    document_parse,
    document_verify,
)
from custody.errors import Conflict, EvidenceInvalid, NotFound, NotYet
from custody.models import BankAccount, CashDeposit, Issuance, PaymentOrder, Withdrawal
from custody.services.issuance import mint_intent
from custody.services.withdrawing import withdrawal_complete, withdrawal_reverse

BODY = "custody"
SEND_LIMIT = 1000


@transaction.atomic
def withdrawal_payment_request(*, withdrawal_id: UUID) -> None:
    """Order the payment of a withdrawal whose burn is final, once; may run any time.

    Raises `NotFound`, `NotYet` before the burn or without a bank or registered account.
    """
    withdrawal = locks.withdrawal_lock(withdrawal_id)
    if PaymentOrder.objects.filter(pk=withdrawal_id).exists():
        return
    kinds = (withdrawal.kind, withdrawal.state)
    if kinds != (Withdrawal.Kind.CASH, Withdrawal.State.EXECUTED):
        raise NotYet(f"withdrawal {withdrawal_id} is {kinds}, no burned cash")
    bank, number = withdrawal.destination.split(":")
    registered = BankAccount.objects.filter(
        account_id=withdrawal.account_id, bank=bank, number=number
    ).first()
    paying = selectors.cash_bank(withdrawal.account_id)
    if registered is None or paying is None:
        raise NotYet(f"no bank, or {withdrawal.destination} is not registered any more")
    _order(
        id=withdrawal_id,
        withdrawal=withdrawal,
        bank_id=paying,
        to_bank=bank,
        to_number=number,
        to_name=registered.holder_name,
        currency=withdrawal.asset.code,
        amount=withdrawal.amount_units // 10**withdrawal.asset.decimals,
    )


def deposit_payment_request(deposit: CashDeposit) -> PaymentOrder:
    """Order, in the caller's transaction, that a deposit goes back to its payer."""
    notice = document_parse(DepositNotice, deposit.document)
    return _order(
        id=uuid4(),
        deposit=deposit,
        bank_id=deposit.bank_id,
        to_bank=notice.source_bank,
        to_number=notice.source_number,
        to_name=notice.depositor_name,
        currency=deposit.currency,
        amount=deposit.amount,
    )


def _order(**terms: Any) -> PaymentOrder:
    order = PaymentOrder.objects.create(**terms)
    intent_life.notify(BODY)
    _audit(order, "payment.ordered")
    return order


def payments_missing(limit: int) -> list[UUID]:
    """Return withdrawals of cash whose burn is final and that nobody was told to pay."""
    rows = Withdrawal.objects.filter(
        kind=Withdrawal.Kind.CASH, state=Withdrawal.State.EXECUTED, payment=None
    )
    return list(rows.order_by("executed_at").values_list("id", flat=True)[:limit])


def payment_defer(order_id: UUID, *, error: str) -> None:
    """Note why the signer refused; it looks again later, for its policy may have grown."""
    due = PaymentOrder.objects.filter(pk=order_id, state=PaymentOrder.State.DUE)
    compliance.put_off(due, error=error[:500])


def payment_await(order_id: UUID, *, error: str) -> None:
    """Note that officers must decide first; the signer looks again in a minute."""
    due = PaymentOrder.objects.filter(pk=order_id, state=PaymentOrder.State.DUE)
    compliance.put_by(due, error=error[:500])


def payment_signed(order_id: UUID, signature: bytes) -> bool:
    """Keep the signer's signature; False when the order has moved on."""
    rows = PaymentOrder.objects.filter(pk=order_id, state=PaymentOrder.State.DUE)
    return bool(rows.update(state=PaymentOrder.State.SIGNED, signature=signature, error=""))


@transaction.atomic
def payments_send() -> list[dict[str, Any]]:
    """Return every signed order that the bank has not answered, and note that they went out.

    Sending again is safe: the bank pays an order once.
    """
    open_states = (PaymentOrder.State.SIGNED, PaymentOrder.State.SENT)
    orders = list(
        PaymentOrder.objects.filter(state__in=open_states).order_by("created_at")[:SEND_LIMIT]
    )
    PaymentOrder.objects.filter(
        pk__in=[order.pk for order in orders], state=PaymentOrder.State.SIGNED
    ).update(state=PaymentOrder.State.SENT, sent_at=timezone.now())
    return [selectors.payment_document(order) for order in orders]


@transaction.atomic
def payment_answer_receive(*, document: dict[str, Any]) -> PaymentOrder:
    """Take in a bank's signed answer; the same again changes nothing.

    Paid completes the withdrawal or return. Rejected means that the money is still there: it is
    minted again for the account, or the deposit is back in review. Raises `EvidenceInvalid`,
    `NotFound`, `Conflict` (answered otherwise, or never sent).
    """
    keys = selectors.evidence_keys()
    answer = document_verify(PaymentAnswer, keys, settings.INSTANCE_ID, document)
    order = locks.payment_lock(_uuid(answer.order_id))
    if order.answer is not None:
        if order.answer != document:
            raise Conflict(f"payment {order.pk} was answered before with other content")
        return order
    if order.state not in (PaymentOrder.State.SIGNED, PaymentOrder.State.SENT):
        raise Conflict(f"payment {order.pk} is {order.state}, it was never sent")
    stated = (answer.bank, answer.currency, answer.amount)
    if stated != (order.bank_id, order.currency, order.amount):
        raise EvidenceInvalid(f"answer {stated} is about another payment than {order.pk}")
    order.state = PaymentOrder.State(answer.outcome)
    order.answer, order.answered_at = document, timezone.now()
    order.save(update_fields=["state", "answer", "answered_at"])
    if order.state == PaymentOrder.State.PAID:
        _paid(order)
    else:
        _rejected(order, answer.reason)
    _audit(order, f"payment.{answer.outcome}", f"bank:{answer.bank}")
    return order


def _paid(order: PaymentOrder) -> None:
    if order.withdrawal_id is not None:
        withdrawal_complete(withdrawal_id=order.withdrawal_id)
        return
    assert order.deposit_id is not None
    deposit = locks.cash_deposit_lock(order.deposit_id)
    deposit.state = CashDeposit.State.RETURNED
    deposit.save(update_fields=["state"])


def _rejected(order: PaymentOrder, reason: str) -> None:
    if order.withdrawal_id is None:
        assert order.deposit_id is not None
        deposit = locks.cash_deposit_lock(order.deposit_id)
        deposit.state, deposit.reason = CashDeposit.State.REVIEW, f"return_rejected: {reason}"
        deposit.save(update_fields=["state", "reason"])
        return
    withdrawal = withdrawal_reverse(withdrawal_id=order.withdrawal_id, reason=f"bank: {reason}")
    account = locks.account_lock(withdrawal.account_id)
    units, evidence_id = withdrawal.amount_units, str(order.pk)
    Issuance.objects.create(
        rejection=order,
        account=account,
        asset=withdrawal.asset,
        amount_units=units,
        intent=mint_intent(account, withdrawal.asset, PAYMENT_REJECTION, evidence_id, units),
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(f"no payment order {text!a}") from error


def _audit(order: PaymentOrder, action: str, actor: str = "process:custody") -> None:
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action=action,
        subject=f"payment:{order.pk}",
        detail={
            "to": f"{order.to_bank}:{order.to_number}",
            "amount": order.amount,
            "currency": order.currency,
        },
    )

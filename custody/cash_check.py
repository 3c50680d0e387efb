"""What custody's signer wants to see before money comes in or goes out; imported by it alone.

Banks' signatures, the policy file, the engine and the signer's own earlier signatures count here; a
row alone proves nothing.
"""

from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from compliance import policy
from compliance import signer as body_signer
from compliance.acts import signature_verify
from custody import selectors
from custody.allowance import Allowance
from custody.banking import virtual_account_number
from custody.cash_documents import (
    PAYMENT_REJECTION,
    DepositNotice,
    Payment,
    PaymentAnswer,
    document_message,
    document_parse,
    document_verify,
)
from custody.catalogue import ASSETS
from custody.errors import OfficersAwaited, Untrusted
from custody.evidence import BANK_NOTICE
from custody.models import OUTSIDE, CashDeposit, Issuance, PaymentOrder
from custody.services.deposits import name_matches
from custody.trade_dates import trade_date
from custody.withdrawal_check import debit_of, halt_check, permission_check

LIMIT = "deposit"
_KEY_PURPOSE = b"nexus-payment-orders-v1"


def payment_key(seed: bytes) -> Ed25519PrivateKey:
    """Return the key that signs payment orders, which follows from the seed (RFC 5869)."""
    derived = HKDF(hashes.SHA256(), 32, salt=None, info=_KEY_PURPOSE).derive(seed)
    return Ed25519PrivateKey.from_private_bytes(derived)


def cash_mint_proven(
    issuance: Issuance, trust: policy.Policy, public_key: bytes, allowance: Allowance
) -> tuple[str, str, str, int]:
    """Return kind, id, currency and units of the bank's word behind a mint.

    Raises `Untrusted` unless a trusted bank signed it, for this account and amount.
    """
    if issuance.deposit is not None:
        kind, evidence_id = BANK_NOTICE, issuance.deposit.pk
        currency, amount = _deposit_proven(issuance.deposit, issuance.account_id, trust, allowance)
    else:
        assert issuance.rejection is not None
        kind, evidence_id = PAYMENT_REJECTION, str(issuance.rejection.pk)
        currency, amount = _rejection_proven(
            issuance.rejection, issuance.account_id, trust, public_key
        )
    return kind, evidence_id, currency, amount * 10 ** _decimals(currency)


def _deposit_proven(
    deposit: CashDeposit, account: int, trust: policy.Policy, allowance: Allowance
) -> tuple[str, int]:
    notice = document_verify(DepositNotice, trust.evidence, settings.INSTANCE_ID, deposit.document)
    units = notice.amount * 10 ** _decimals(notice.currency)
    if notice.notice_id != deposit.pk:
        raise Untrusted(f"the document is notice {notice.notice_id}, not {deposit.pk}")
    if (act := deposit.act) is not None:
        stated = {"notice_id": notice.notice_id, "account": account, "amount_units": units}
        if act.kind != "custody.deposit_accept" or act.payload != stated:
            raise Untrusted(f"act {act.id} is about another deposit")
        body_signer.act_check(act, trust)
        return notice.currency, notice.amount
    if deposit.returns.exists():
        raise Untrusted(f"officers sent deposit {deposit.pk} back to its payer")
    if notice.virtual_account != virtual_account_number(account):
        raise Untrusted(f"money for {notice.virtual_account} is not for account {account}")
    if not name_matches(selectors.account_get(account), notice.depositor_name):
        raise Untrusted(f"{notice.depositor_name!a} does not hold account {account}")
    if not allowance.take(
        name=f"{LIMIT}:{notice.currency}:{account}",
        use=notice.notice_id,
        units=units,
        limit=trust.limits.get(f"{LIMIT}:{notice.currency}", 0),
        day=trade_date(),
    ):
        raise OfficersAwaited(
            "above the day's limit: two officers must accept (custody.deposit_accept)"
        )
    return notice.currency, notice.amount


def _rejection_proven(
    order: PaymentOrder, account: int, trust: policy.Policy, public_key: bytes
) -> tuple[str, int]:
    sent = _payment(order)
    message, signature = document_message(settings.INSTANCE_ID, sent), bytes(order.signature or b"")
    if not signature_verify(public_key, signature, message):
        raise Untrusted(f"custody never signed payment {order.pk} as it stands")
    answer = document_verify(
        PaymentAnswer, trust.evidence, settings.INSTANCE_ID, order.answer or {}
    )
    told = (answer.order_id, answer.bank, answer.currency, answer.amount, answer.outcome)
    if told != (sent.order_id, sent.bank, sent.currency, sent.amount, "rejected"):
        raise Untrusted(f"the bank's answer is about another payment than {order.pk}")
    if sent.account != account:
        raise Untrusted(f"payment {order.pk} was of account {sent.account}, not of {account}")
    return sent.currency, sent.amount


def payment_message(order: PaymentOrder, trust: policy.Policy, allowance: Allowance) -> bytes:
    """Return the bytes to sign for an order to the bank.

    Raises `Untrusted` unless it pays what the engine debited to where the debit says, or sends a
    deposit back to its payer on two officers' word; `OfficersAwaited` while withdrawals are halted.
    """
    payment = _payment(order)
    if order.bank_id not in trust.evidence or trust.evidence[order.bank_id][0] != "bank":
        raise Untrusted(f"no bank {order.bank_id} is trusted")
    if order.withdrawal is not None:
        _withdrawal_check(order, payment, trust, allowance)
    else:
        assert order.deposit is not None
        _return_check(order.deposit, payment, trust)
    return document_message(settings.INSTANCE_ID, payment)


def _withdrawal_check(
    order: PaymentOrder, payment: Payment, trust: policy.Policy, allowance: Allowance
) -> None:
    withdrawal = order.withdrawal
    assert withdrawal is not None
    halt_check()
    if withdrawal.state != withdrawal.State.EXECUTED:
        raise Untrusted(f"withdrawal {withdrawal.pk} is {withdrawal.state}, its burn is not final")
    debit, _ = debit_of(withdrawal)
    code = next((terms.code for terms in ASSETS if terms.id == debit.asset), "")
    units = payment.amount * 10 ** _decimals(payment.currency)
    stated = (UUID(payment.order_id), payment.account, payment.currency, units)
    if stated != (withdrawal.pk, debit.account, code, debit.amount_units):
        raise Untrusted(f"payment {stated} is not what the engine debited: {debit}")
    if f"{payment.to_bank}:{payment.to_number}" != withdrawal.destination:
        raise Untrusted(f"payment {order.pk} goes elsewhere than {withdrawal.destination}")
    account = selectors.account_get(debit.account)
    if account.kind == account.Kind.MEMBER and not name_matches(account, payment.to_name):
        raise Untrusted(f"{payment.to_name!a} does not hold account {account.pk}")
    permission_check(withdrawal, debit, code, trust, allowance)


def _return_check(deposit: CashDeposit, payment: Payment, trust: policy.Policy) -> None:
    notice = document_verify(DepositNotice, trust.evidence, settings.INSTANCE_ID, deposit.document)
    act = deposit.act
    if act is None or act.kind != "custody.deposit_return":
        raise Untrusted(f"nobody decided to return deposit {deposit.pk}")
    if act.payload != {"notice_id": notice.notice_id}:
        raise Untrusted(f"act {act.id} is about another deposit")
    body_signer.act_check(act, trust)
    if Issuance.objects.filter(deposit=deposit).exists():
        raise Untrusted(f"deposit {deposit.pk} was minted")
    source = (notice.source_bank, notice.source_number, notice.depositor_name)
    if source != (payment.to_bank, payment.to_number, payment.to_name):
        raise Untrusted(f"deposit {deposit.pk} came from elsewhere than payment goes to")
    money = (payment.account, payment.bank, payment.currency, payment.amount)
    if money != (OUTSIDE, notice.bank, notice.currency, notice.amount):
        raise Untrusted(f"payment is not what deposit {deposit.pk} brought")


def _payment(order: PaymentOrder) -> Payment:
    return document_parse(Payment, selectors.payment_document(order))


def _decimals(currency: str) -> int:
    """Return a currency's decimals by the catalogue, since a row could move the point."""
    for terms in ASSETS:
        if (terms.code, terms.kind) == (currency, "cash"):
            return terms.decimals
    raise Untrusted(f"{currency} is no money of this house")

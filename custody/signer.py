"""Custody's signer: derives account addresses, signs openings, proven mints and withdrawals.

It trusts the policy file and the seed in its key store; a row alone gets no signature.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from eth_account import Account as Keys
from eth_account.hdaccount import key_from_seed

from compliance import calldata, intent_life, policy
from compliance import signer as body_signer
from compliance.signer import BodySigner
from custody import evidence, selectors
from custody.allowance import Allowance
from custody.cash_check import cash_mint_proven, payment_key, payment_message
from custody.errors import BodyRefused, EvidenceInvalid, OfficersAwaited, Untrusted
from custody.models import REVENUE, Account, CustodyIntent, Issuance, PaymentOrder, ReleaseDue
from custody.services.accounts import account_address_set
from custody.services.charges import KIND as CHARGE
from custody.services.issuance import issuance_signed, mint_calldata
from custody.services.payments import payment_await, payment_defer, payment_signed
from custody.services.releases import (
    release_await,
    release_defer,
    release_signed,
    releases_unsigned,
)
from custody.services.withdrawing import BURN, TRANSFER, withdrawal_signed
from custody.withdrawal_check import charge_expected, release_message, withdrawal_expected
from matching.client import EngineUnavailable

SEED = "custody.seed"
PAYMENT_KEY_FILE = "custody.payments.pub"
ALLOWANCE_FOLDER = "custody.allowance"
SIGN_LIMIT = 100
DERIVATION_PATH = "m/44'/60'/0'/0/{number}"

Order = TypeVar("Order", PaymentOrder, ReleaseDue)


class CustodySigner:
    """Custody's key and seed, open in this process."""

    def __init__(self, signer: BodySigner, seed: bytes) -> None:
        self.signer = signer
        self._seed = seed
        self._payment_key = payment_key(seed)
        self._allowance = Allowance(Path(settings.KEYS) / ALLOWANCE_FOLDER)
        self.payment_public_key = self._payment_key.public_key().public_bytes_raw()

    @classmethod
    def open(cls) -> "CustodySigner":
        """Open key store and seed; the seed is made while no account hangs on one.

        Raises `LookupError` when a key store is missing, `ValueError` for a wrong passphrase.
        """
        secret = body_signer.passphrase()
        if not Account.objects.filter(attestation__isnull=False).exists():
            body_signer.keystore_create(SEED, secret)
        opened = cls(BodySigner.open("custody"), body_signer.keystore_open(SEED, secret))
        # Banks are given this key by an operator, and pay what it signs.
        path = Path(settings.KEYS) / PAYMENT_KEY_FILE
        path.write_text(opened.payment_public_key.hex() + "\n")
        return opened

    def address_derive(self, number: int) -> str:
        """Return the account's address: BIP-44 with the account number as the last index."""
        key = key_from_seed(self._seed, DERIVATION_PATH.format(number=number))
        return str(Keys.from_key(key).address)

    def work(self) -> int:
        """Derive addresses, sign what waits; return how many were done."""
        orders = self.payments_sign() + self.releases_sign()
        return self.addresses_write() + self.intents_sign() + orders

    def addresses_write(self) -> int:
        """Give each account without an address its own, attested by custody's key."""
        kinds = [Account.Kind.MEMBER, Account.Kind.REVENUE]
        rows = Account.objects.filter(address=None, kind__in=kinds).order_by("id")[:SIGN_LIMIT]
        for account in rows:
            address = self.address_derive(account.pk)
            typed = body_signer.attestation_typed(
                holder=account.holder, account=account.pk, address=address
            )
            account_address_set(
                number=account.pk, address=address, attestation=self.signer.sign_typed(typed)
            )
        return len(rows)

    def intents_sign(self) -> int:
        """Sign custody's waiting intents that pass `intent_check`."""
        rows = CustodyIntent.objects.select_related("account")
        waiting = intent_life.intents_signable(rows, limit=SIGN_LIMIT)
        return body_signer.intents_sign(self.signer, waiting, self.intent_check, signed=_signed)

    def payments_sign(self) -> int:
        """Sign payment orders that pass `payment_message`, defer the others with the reason."""
        due = PaymentOrder.objects.filter(state=PaymentOrder.State.DUE, due_at__lte=timezone.now())
        if not due.exists():  # each second; to plan eight joins takes longer than all else
            return 0
        rows = due.select_related(
            "withdrawal__asset",
            "withdrawal__act__proposer__user",
            "withdrawal__act__approver__user",
            "deposit__act__proposer__user",
            "deposit__act__approver__user",
        )
        return self._orders_sign(
            rows.order_by("created_at")[:SIGN_LIMIT],
            payment_message,
            signed=payment_signed,
            deferred=payment_defer,
            awaiting=payment_await,
        )

    def releases_sign(self) -> int:
        """Sign orders to vaults that pass `release_message`, defer the others with the reason."""
        return self._orders_sign(
            releases_unsigned(SIGN_LIMIT),
            release_message,
            signed=release_signed,
            deferred=release_defer,
            awaiting=release_await,
        )

    def _orders_sign(
        self,
        orders: Iterable[Order],
        message: Callable[[Order, policy.Policy, Allowance], bytes],
        *,
        signed: Callable[[UUID, bytes], bool],
        deferred: Callable[..., None],
        awaiting: Callable[..., None],
    ) -> int:
        """Sign what `message` lets pass, and tell of the others why; return how many are signed."""
        trust, done = policy.policy_load("custody"), 0
        for order in orders:
            try:
                signature = self._payment_key.sign(message(order, trust, self._allowance))
            except OfficersAwaited as awaited:
                awaiting(order.pk, error=str(awaited))
                continue
            except (BodyRefused, EngineUnavailable) as refusal:
                deferred(order.pk, error=str(refusal))
                continue
            done += signed(order.pk, signature)
        return done

    def intent_check(self, intent: CustodyIntent, trust: policy.Policy) -> None:
        """Raise `Untrusted` unless the intent is one of four.

        It opens an account of ours, mints what was proven, takes out what the engine debited, or
        brings to revenue what it charged.
        """
        pin = body_signer.pin_of(trust, "custody")
        address = self.address_derive(intent.account_id)
        if intent.kind == "open":
            target = pin.targets["account_registry"]
            data = calldata.open_account(address, pin.clearing_id)
        elif intent.kind == "mint":
            target, data = mint_expected(
                intent, address, trust, pin, self.payment_public_key, self._allowance
            )
        elif intent.kind in (BURN, TRANSFER):
            target, data = withdrawal_expected(intent, address, trust, pin, self._allowance)
        elif intent.kind == CHARGE:
            revenue = self.address_derive(REVENUE)
            target, data = charge_expected(intent, address, revenue, trust, pin)
        else:
            raise Untrusted(f"custody signs no {intent.kind}")
        if (intent.target, bytes(intent.data)) != (target, data):
            raise Untrusted(f"target or calldata differ from what may be signed: {target}")


def _signed(intent: CustodyIntent) -> None:
    if intent.kind == "mint":
        issuance_signed(intent)
    elif intent.kind in (BURN, TRANSFER):
        withdrawal_signed(intent)


def mint_expected(
    intent: CustodyIntent,
    address: str,
    trust: policy.Policy,
    pin: policy.ChainPin,
    payment_public_key: bytes,
    allowance: Allowance,
) -> tuple[str, bytes]:
    """Return the only target and calldata that act and evidence together allow.

    Raises `Untrusted` unless two trusted officers approved a mint of exactly this evidence, signed
    by trusted keys, or a bank's word alone is enough (`cash_check`). The token counts the evidence
    by its id, so it mints once.
    """
    issuance = (
        Issuance.objects.filter(intent=intent)
        .select_related("act__proposer__user", "act__approver__user")
        .select_related("notice__asset", "receipt__asset", "registration__asset")
        .select_related("deposit__act__proposer__user", "deposit__act__approver__user")
        .select_related("rejection__withdrawal")
        .first()
    )
    if issuance is None:
        raise Untrusted(f"no issuance stands behind intent {intent.id}")
    if (act := issuance.act) is None:
        proven = cash_mint_proven(issuance, trust, payment_public_key, allowance)
        return _cash_mint_expected(proven, address, pin)
    if act.kind != "custody.mint":
        raise Untrusted(f"act {act.id} is {act.kind}, no mint")
    body_signer.act_check(act, trust)
    kind, evidence_id, document, units = _evidence_verified(issuance, trust)
    stated = {name: act.payload[name] for name in ("evidence_kind", "evidence_id", "account")}
    expected = {
        "evidence_kind": kind,
        "evidence_id": evidence_id,
        "account": document["account"],
    }
    if stated != expected or act.payload["amount_units"] != units:
        raise Untrusted(f"act {act.id} is about other evidence or another amount")
    if kind == evidence.REGISTRAR_NOTICE and intent.pk != evidence.intent_id(kind, evidence_id):
        raise Untrusted(f"intent {intent.pk} is not the one that this notice mints by")
    if document["account"] != intent.account_id:
        raise Untrusted(f"evidence is for account {document['account']}, not {intent.account_id}")
    token = pin.targets.get(f"token:{document['asset']}")
    if token is None:
        raise Untrusted(f"no token of {document['asset']} is pinned")
    return token, mint_calldata(kind, evidence_id, address, units)


def _cash_mint_expected(
    proven: tuple[str, str, str, int], address: str, pin: policy.ChainPin
) -> tuple[str, bytes]:
    kind, evidence_id, currency, units = proven
    token = pin.targets.get(f"token:{currency}")
    if token is None:
        raise Untrusted(f"no token of {currency} is pinned")
    return token, mint_calldata(kind, evidence_id, address, units)


def _evidence_verified(
    issuance: Issuance, trust: policy.Policy
) -> tuple[str, str, dict[str, object], int]:
    try:
        if issuance.notice is not None:
            document = selectors.notice_document(issuance.notice)
            evidence.notice_verify(trust.evidence, settings.INSTANCE_ID, document)
            return evidence.BANK_NOTICE, issuance.notice.pk, document, issuance.notice.amount_units
        if (registered := issuance.registration) is not None:
            document = selectors.registrar_document(registered)
            evidence.registrar_verify(trust.evidence, settings.INSTANCE_ID, document)
            return evidence.REGISTRAR_NOTICE, registered.pk, document, registered.amount_units
        assert issuance.receipt is not None
        document = selectors.receipt_document(issuance.receipt)
        evidence.receipt_verify(trust.evidence, settings.INSTANCE_ID, document)
        return evidence.VAULT_RECEIPT, issuance.receipt.pk, document, issuance.receipt.fine_units
    except EvidenceInvalid as error:
        raise Untrusted(str(error)) from error

"""Evidence as it comes in: verified, kept for ever, never twice."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from compliance import services as compliance
from custody import evidence, selectors
from custody.errors import Conflict, EvidenceInvalid, Invalid
from custody.models import (
    Asset,
    BankNotice,
    EvidenceKey,
    RegistrarNotice,
    VaultBar,
    VaultReceipt,
)

BODY = "custody"


@transaction.atomic
def evidence_key_create(*, name: str, kind: str, public_key: bytes, actor: str) -> EvidenceKey:
    """Make the Ed25519 key of a witness outside known; the same again returns it.

    Custody's signer believes it only when its policy file lists it too. Raises `Invalid`,
    `Conflict`.
    """
    if kind not in EvidenceKey.Kind.values or len(public_key) != 32 or not name:
        raise Invalid(f"evidence key {name!r}: kind {kind!r} or {len(public_key)} bytes are wrong")
    known = EvidenceKey.objects.filter(name=name).first()
    if known is not None:
        if (known.kind, bytes(known.public_key)) != (kind, public_key):
            raise Conflict(f"{name} is a {known.kind} with another key")
        return known
    try:
        with transaction.atomic():
            key = EvidenceKey.objects.create(name=name, kind=kind, public_key=public_key)
    except IntegrityError as error:
        raise Conflict(f"the key of {name} belongs to another") from error
    _audit(actor, "evidence_key.created", f"evidence_key:{name}", {"key": public_key.hex()})
    return key


@transaction.atomic
def bank_notice_receive(*, document: Mapping[str, Any]) -> BankNotice:
    """Keep a bank's signed notice; the same again returns it.

    Raises `EvidenceInvalid`, `NotFound` (asset, account), `Conflict` (same id, other content).
    """
    evidence.notice_verify(selectors.evidence_keys(), settings.INSTANCE_ID, document)
    asset = _asset(document, Asset.Kind.CASH)
    known = BankNotice.objects.filter(notice_id=document["notice_id"]).first()
    if known is not None:
        _same(selectors.notice_document(known), document, "notice_id")
        return known
    notice = BankNotice.objects.create(
        notice_id=document["notice_id"],
        bank_id=document["bank"],
        account=selectors.account_get(document["account"]),
        asset=asset,
        amount_units=document["amount_units"],
        booked_at=document["booked_at"],
        signature=evidence.signature_parse(document["signature"]),
    )
    _audit(f"bank:{document['bank']}", "bank_notice.received", f"bank_notice:{notice.pk}", document)
    return notice


@transaction.atomic
def registrar_notice_receive(*, document: Mapping[str, Any]) -> RegistrarNotice:
    """Keep a registrar's signed notice; the same again returns it. Raises as above."""
    evidence.registrar_verify(selectors.evidence_keys(), settings.INSTANCE_ID, document)
    asset = _asset(document, Asset.Kind.SECURITY)
    known = RegistrarNotice.objects.filter(notice_id=document["notice_id"]).first()
    if known is not None:
        _same(selectors.registrar_document(known), document, "notice_id")
        return known
    notice = RegistrarNotice.objects.create(
        notice_id=document["notice_id"],
        registrar_id=document["registrar"],
        account=selectors.account_get(document["account"]),
        asset=asset,
        amount_units=document["amount_units"],
        booked_at=document["booked_at"],
        signature=evidence.signature_parse(document["signature"]),
    )
    _audit(
        f"registrar:{document['registrar']}",
        "registrar_notice.received",
        f"registrar_notice:{notice.pk}",
        document,
    )
    return notice


@transaction.atomic
def vault_receipt_receive(*, document: Mapping[str, Any]) -> VaultReceipt:
    """Keep a vault's receipt with its auditor's count; the same again returns it.

    Raises as above, and `Conflict` when a bar stands in another receipt already.
    """
    evidence.receipt_verify(selectors.evidence_keys(), settings.INSTANCE_ID, document)
    asset = _asset(document, Asset.Kind.METAL)
    known = VaultReceipt.objects.filter(receipt_id=document["receipt_id"]).first()
    if known is not None:
        _same(selectors.receipt_document(known), document, "receipt_id")
        return known
    receipt = VaultReceipt.objects.create(
        receipt_id=document["receipt_id"],
        asset=asset,
        account=selectors.account_get(document["account"]),
        bars=document["bars"],
        fine_units=document["fine_units"],
        vault_id=document["vault"],
        vault_signature=evidence.signature_parse(document["vault_signature"]),
        auditor_id=document["auditor"],
        auditor_fine_units=document["auditor_fine_units"],
        auditor_signature=evidence.signature_parse(document["auditor_signature"]),
    )
    try:
        with transaction.atomic():
            VaultBar.objects.bulk_create(
                VaultBar(receipt=receipt, **bar) for bar in document["bars"]
            )
    except IntegrityError as error:
        raise Conflict(f"a bar of receipt {receipt.pk} stands behind another receipt") from error
    detail = {"asset": asset.code, "fine_units": receipt.fine_units, "bars": len(receipt.bars)}
    _audit(
        f"vault:{document['vault']}",
        "vault_receipt.received",
        f"vault_receipt:{receipt.pk}",
        detail,
    )
    return receipt


def _asset(document: Mapping[str, Any], kind: str) -> Asset:
    asset = selectors.asset_get(code=document["asset"])
    if asset.kind != kind:
        raise EvidenceInvalid(f"{asset.code} is {asset.kind}, this evidence is about {kind}")
    return asset


def _same(known: Mapping[str, Any], document: Mapping[str, Any], name: str) -> None:
    if known != dict(document):
        raise Conflict(f"{name} {document[name]} was received before with other content")


def _audit(actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
    compliance.audit_append(body=BODY, actor=actor, action=action, subject=subject, detail=detail)

"""Issuance: evidence and two officers, then a mint on chain, then the engine's credit."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from compliance import calldata, intent_life
from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.wake import wake
from custody import evidence, locks, selectors
from custody.cash_documents import PAYMENT_REJECTION
from custody.errors import Conflict, Invalid, NotFound, NotYet
from custody.models import (
    Account,
    Asset,
    BankNotice,
    CashDeposit,
    CustodyIntent,
    Issuance,
    RegistrarNotice,
    VaultReceipt,
)
from custody.services.crediting import engine_credit
from custody.trade_dates import trade_date
from matching.protocol.faults import crash_point

BODY = "custody"
CREDIT_TASK = "custody.issuance_credit"

Evidence = BankNotice | VaultReceipt | RegistrarNotice


def mint_act(act_id: UUID, payload: dict[str, Any]) -> dict[str, Any]:
    """Start the mint that officers approved. Raises `Conflict`, `Invalid`, `NotFound`, `NotYet`."""
    kind, found = _evidence(payload)
    if selectors.issuance_of(evidence_kind=kind, evidence_id=payload["evidence_id"]):
        raise Conflict(f"{kind} {payload['evidence_id']} has been issued against")
    units = found.fine_units if isinstance(found, VaultReceipt) else found.amount_units
    stated = (payload["account"], payload["asset"], payload["amount_units"])
    if stated != (found.account_id, found.asset_id, units):
        raise Conflict(
            f"act says account, asset, units {stated}, evidence "
            f"{(found.account_id, found.asset_id, units)}"
        )
    account = locks.account_lock(found.account_id)
    if not account.ready:
        raise NotYet(f"account {account.pk} is not known to engine and chain yet")
    issuance = Issuance.objects.create(
        notice=found if isinstance(found, BankNotice) else None,
        receipt=found if isinstance(found, VaultReceipt) else None,
        registration=found if isinstance(found, RegistrarNotice) else None,
        account=account,
        asset=found.asset,
        amount_units=units,
        act_id=act_id,
        intent=mint_intent(account, found.asset, kind, str(found.pk), units),
    )
    return {"issuance": issuance.pk}


def _evidence(payload: dict[str, Any]) -> tuple[str, Evidence]:
    kind, evidence_id = payload["evidence_kind"], payload["evidence_id"]
    model = _EVIDENCE.get(kind)
    if model is None:
        raise Invalid(f"evidence kind must be one of {sorted(_EVIDENCE)}, found {kind!r}")
    found: Evidence | None = (
        model._default_manager.select_related("asset").filter(pk=evidence_id).first()
    )
    if found is None:
        raise NotFound(f"no {kind} {evidence_id!r}")
    return kind, found


def mint_intent(
    account: Account, asset: Asset, kind: str, evidence_id: str, units: int
) -> CustodyIntent:
    """Wish, in the caller's transaction, for the mint that this evidence allows.

    Raises `NotYet` before the deployment.
    """
    chain = compliance_selectors.chain_addresses_get(BODY)
    if chain is None or account.address is None:
        raise NotYet("no contracts are deployed yet")
    intent = CustodyIntent(
        kind="mint",
        target=chain.targets[f"token:{asset.code}"],
        data=mint_calldata(kind, evidence_id, account.address, units),
        subject={"account": account.pk, "asset": asset.pk, "amount_units": units},
        account=account,
    )
    if kind == evidence.REGISTRAR_NOTICE:
        intent.id = evidence.intent_id(kind, evidence_id)
    intent_life.intent_request(intent, body=BODY)
    return intent


def mint_calldata(evidence_kind: str, evidence_id: str, address: str, units: int) -> bytes:
    """Return the one call that the evidence allows: all its units, counted under its own id."""
    reference = evidence.chain_reference(evidence_kind, evidence_id)
    if evidence_kind in (evidence.BANK_NOTICE, PAYMENT_REJECTION):
        return calldata.mint_cash(address, units, reference)
    if evidence_kind == evidence.REGISTRAR_NOTICE:
        return calldata.mint_security(address, units)
    return calldata.mint_metal(address, units, reference, units)


def issuance_signed(intent: CustodyIntent) -> None:
    """Note that custody's signer has signed the mint."""
    on_its_own = CashDeposit.objects.filter(issuance__intent=intent, act=None, limit_day=None)
    on_its_own.update(limit_day=trade_date())
    Issuance.objects.filter(intent=intent, state=Issuance.State.APPROVED).update(
        state=Issuance.State.SIGNED
    )


def issuance_minted(intent_id: UUID) -> None:
    """Note, in the caller's transaction, that the chain holds the mint, and wake the credit."""
    issuance = locks.issuance_of_intent_lock(intent_id)
    assert issuance is not None, f"intent {intent_id} mints for nothing"
    if issuance.state in (Issuance.State.APPROVED, Issuance.State.SIGNED):
        issuance.state, issuance.due_at = Issuance.State.MINTED, timezone.now()
        issuance.save(update_fields=["state", "due_at"])
        wake(CREDIT_TASK, issuance.pk)


def issuance_credit(*, issuance_id: int) -> None:
    """Credit a confirmed mint in the engine under its reference; once, however often.

    Raises `EngineUnavailable`, `NotYet` before the mint is confirmed, `Conflict` when the engine
    refuses.
    """
    issuance = Issuance.objects.filter(pk=issuance_id).first()
    if issuance is None:
        raise NotFound(f"no issuance {issuance_id}")
    if issuance.state == Issuance.State.CREDITED:
        return
    if issuance.state != Issuance.State.MINTED:
        raise NotYet(f"issuance {issuance_id} is {issuance.state}, its mint is not confirmed")
    sequence = engine_credit(
        account=issuance.account_id,
        asset=issuance.asset_id,
        amount_units=issuance.amount_units,
        reference=selectors.issuance_reference(issuance),
    )
    crash_point("issuance.answered")
    with transaction.atomic():
        issuance = locks.issuance_lock(issuance_id)
        if issuance.state == Issuance.State.CREDITED:
            return
        issuance.state, issuance.engine_sequence = Issuance.State.CREDITED, sequence
        issuance.save(update_fields=["state", "engine_sequence"])
        compliance.audit_append(
            body=BODY,
            actor="process:custody",
            action="issuance.credited",
            subject=f"issuance:{issuance_id}",
            detail={"account": issuance.account_id, "sequence": sequence},
        )


_EVIDENCE: dict[str, type[Evidence]] = {
    evidence.BANK_NOTICE: BankNotice,
    evidence.VAULT_RECEIPT: VaultReceipt,
    evidence.REGISTRAR_NOTICE: RegistrarNotice,
}

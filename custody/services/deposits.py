"""Cash deposits: a bank's notice matched to an account, or kept until officers decide."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from compliance import intent_life
from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.intents import UNSIGNED, IntentState
from compliance.wake import wake
from custody import locks, selectors
from custody.banking import name_key
from custody.cash_documents import DepositNotice, document_verify
from custody.errors import Conflict, NotFound, NotYet
from custody.evidence import BANK_NOTICE
from custody.models import (
    Account,
    Asset,
    BankNotice,
    CashDeposit,
    CustodyIntent,
    Issuance,
    VirtualAccount,
)
from custody.services.issuance import mint_intent
from custody.services.payments import deposit_payment_request

BODY = "custody"
MINT_TASK = "custody.cash_deposit_mint"


@transaction.atomic
def cash_deposit_receive(*, document: dict[str, Any]) -> CashDeposit:
    """Keep a bank's notice of money on a virtual account; the same again returns the first.

    What names a member's virtual account and the member's own name is minted, if it is no less than
    `CUSTODY_DEPOSIT_MIN_WON` and no more than what passes in a day without officers; anything else
    waits in review. Raises `EvidenceInvalid`, `Conflict` (same id, other content).
    """
    keys = selectors.evidence_keys()
    notice = document_verify(DepositNotice, keys, settings.INSTANCE_ID, document)
    known = CashDeposit.objects.filter(pk=notice.notice_id).first()
    if known is not None:
        if known.document != document:
            raise Conflict(f"notice {notice.notice_id} was received before with other content")
        return known
    if BankNotice.objects.filter(pk=notice.notice_id).exists():
        raise Conflict(f"notice {notice.notice_id} was received before in another form")
    asset = Asset.objects.filter(code=notice.currency, kind=Asset.Kind.CASH).first()
    virtual = VirtualAccount.objects.filter(bank_id=notice.bank, number=notice.virtual_account)
    owner = virtual.select_related("account").first()
    reason = _doubt(notice, asset, owner)
    deposit = CashDeposit.objects.create(
        notice_id=notice.notice_id,
        bank_id=notice.bank,
        document=document,
        currency=notice.currency,
        amount=notice.amount,
        asset=asset,
        account=owner.account if owner else None,
        state=CashDeposit.State.REVIEW if reason else CashDeposit.State.ACCEPTED,
        reason=reason,
    )
    _audit(deposit, f"bank:{notice.bank}", "cash_deposit.received", {"reason": reason})
    wake(MINT_TASK, deposit.pk)
    return deposit


def _doubt(notice: DepositNotice, asset: Asset | None, owner: VirtualAccount | None) -> str:
    if asset is None:
        return "currency_unknown"
    if owner is None:
        return "virtual_account_unknown"
    if not name_matches(owner.account, notice.depositor_name):
        return "name_differs"
    if notice.amount < settings.CUSTODY_DEPOSIT_MIN_WON:
        return "amount_below_minimum"
    if notice.amount * 10**asset.decimals > selectors.limit_units("deposit", asset):
        return "amount_above_limit"
    return ""


def name_matches(account: Account, name: str) -> bool:
    """Tell whether a bank's spelling of a name is the account's holder's."""
    try:
        legal = compliance_selectors.party_get(holder=account.holder).legal_name
    except NotFound:
        return False
    return name_key(legal) == name_key(name) != ""


def cash_deposit_mint(*, notice_id: str) -> None:
    """Wish for the mint of an accepted deposit, once; may run any time.

    Raises `NotFound`, `NotYet` while account or contracts are not ready.
    """
    with transaction.atomic():
        deposit = locks.cash_deposit_lock(notice_id)
        if deposit.state != CashDeposit.State.ACCEPTED or _issuance(deposit):
            return
        assert deposit.account_id is not None and deposit.asset is not None
        account = locks.account_lock(deposit.account_id)
        if not account.ready:
            raise NotYet(f"account {account.pk} is not known to engine and chain yet")
        units = deposit.amount * 10**deposit.asset.decimals
        Issuance.objects.create(
            deposit=deposit,
            account=account,
            asset=deposit.asset,
            amount_units=units,
            intent=mint_intent(account, deposit.asset, BANK_NOTICE, deposit.pk, units),
        )


def deposit_accept_act(act_id: UUID, payload: dict[str, Any]) -> dict[str, Any]:
    """Accept a deposit for the account that officers name, or one above the automatic limit.

    Raises `NotFound`, `Conflict` when it is another amount, another's, or on its way already.
    """
    deposit = locks.cash_deposit_lock(payload["notice_id"])
    account = selectors.account_get(payload["account"])
    if deposit.asset is None or deposit.amount == 0 or account.kind != Account.Kind.MEMBER:
        raise Conflict(f"notice {deposit.pk} cannot be minted for account {account.pk}")
    units = deposit.amount * 10**deposit.asset.decimals
    if units != payload["amount_units"]:
        raise Conflict(f"notice {deposit.pk} is about {units} units")
    if deposit.state == CashDeposit.State.ACCEPTED and deposit.account_id != account.pk:
        raise Conflict(f"deposit {deposit.pk} was accepted for account {deposit.account_id}")
    if deposit.state not in (CashDeposit.State.REVIEW, CashDeposit.State.ACCEPTED):
        raise Conflict(f"deposit {deposit.pk} is {deposit.state}")
    deposit.state, deposit.account, deposit.reason = CashDeposit.State.ACCEPTED, account, ""
    deposit.act_id = act_id
    deposit.save(update_fields=["state", "account", "reason", "act"])
    if issuance := _issuance(deposit):
        CustodyIntent.objects.filter(issuance=issuance).update(due_at=timezone.now())
        intent_life.notify(BODY)
    _audit(deposit, "process:custody", "cash_deposit.accepted", {"act": str(act_id)})
    wake(MINT_TASK, deposit.pk)
    return {"notice_id": deposit.pk, "account": account.pk}


def deposit_return_act(act_id: UUID, payload: dict[str, Any]) -> dict[str, Any]:
    """Send a deposit in review, or one whose mint nobody signed, back to where it came from.

    Raises `NotFound`, `Conflict` when it is on its way, or officers accepted it.
    """
    # Intent before deposit, as the signer locks them: what it signs meanwhile it does not keep.
    CustodyIntent.objects.filter(
        issuance__deposit=payload["notice_id"], state__in=UNSIGNED, deadline=0
    ).update(state=IntentState.VOID, error="the deposit is returned")
    deposit = locks.cash_deposit_lock(payload["notice_id"])
    on_its_own = deposit.state == CashDeposit.State.ACCEPTED and deposit.act_id is None
    if deposit.state != CashDeposit.State.REVIEW and not on_its_own:
        raise Conflict(f"deposit {deposit.pk} is {deposit.state}, officers cannot return it")
    Issuance.objects.filter(deposit=deposit, intent__state=IntentState.VOID).delete()
    if _issuance(deposit):
        raise Conflict(f"the mint of deposit {deposit.pk} is on its way")
    deposit.act_id = act_id
    nothing = deposit.amount == 0
    deposit.state = CashDeposit.State.RETURNED if nothing else CashDeposit.State.RETURNING
    deposit.save(update_fields=["state", "act"])
    order = None if nothing else deposit_payment_request(deposit)
    _audit(deposit, "process:custody", "cash_deposit.returning", {"act": str(act_id)})
    return {"notice_id": deposit.pk, "payment_order": str(order.pk) if order else ""}


def _issuance(deposit: CashDeposit) -> Issuance | None:
    return Issuance.objects.filter(deposit=deposit).first()


def _audit(deposit: CashDeposit, actor: str, action: str, detail: dict[str, Any]) -> None:
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action=action,
        subject=f"cash_deposit:{deposit.pk}",
        detail={
            "account": deposit.account_id or 0,
            "amount": deposit.amount,
            "currency": deposit.currency,
            "state": str(deposit.state),
            **detail,
        },
    )

"""Questions about what outsiders signed, and what they vouch for."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from custody import evidence
from custody.cash_documents import DepositNotice, document_verify
from custody.errors import EvidenceInvalid
from custody.models import (
    BankNotice,
    CashDeposit,
    EvidenceKey,
    Issuance,
    RegistrarNotice,
    VaultReceipt,
    Withdrawal,
)
from custody.selectors.accounts import assets_by_id

MINTED = (Issuance.State.MINTED, Issuance.State.CREDITED)

EvidenceKeys = Mapping[str, tuple[str, bytes]]


def evidence_keys() -> dict[str, tuple[str, bytes]]:
    """Return (kind, public key) of every known bank, vault and auditor."""
    return {key.name: (key.kind, bytes(key.public_key)) for key in EvidenceKey.objects.all()}


def notice_document(notice: BankNotice) -> dict[str, object]:
    """Return the notice as it was received."""
    return {
        "notice_id": notice.notice_id,
        "bank": notice.bank_id,
        "account": notice.account_id,
        "asset": notice.asset.code,
        "amount_units": notice.amount_units,
        "booked_at": notice.booked_at,
        "signature": bytes(notice.signature).hex(),
    }


def receipt_document(receipt: VaultReceipt) -> dict[str, object]:
    """Return the receipt as it was received."""
    return {
        "receipt_id": receipt.receipt_id,
        "vault": receipt.vault_id,
        "account": receipt.account_id,
        "asset": receipt.asset.code,
        "bars": receipt.bars,
        "fine_units": receipt.fine_units,
        "vault_signature": bytes(receipt.vault_signature).hex(),
        "auditor": receipt.auditor_id,
        "auditor_fine_units": receipt.auditor_fine_units,
        "auditor_signature": bytes(receipt.auditor_signature).hex(),
    }


def registrar_document(notice: RegistrarNotice) -> dict[str, object]:
    """Return the notice as it was received."""
    return {
        "notice_id": notice.notice_id,
        "registrar": notice.registrar_id,
        "account": notice.account_id,
        "asset": notice.asset.code,
        "amount_units": notice.amount_units,
        "booked_at": notice.booked_at,
        "signature": bytes(notice.signature).hex(),
    }


def outside_holdings(*, issued_only: bool = False) -> dict[int, int]:
    """Return base units per asset that outsiders vouch for by signatures that verify now.

    What they paid out or handed over since, by their own signed word, is no longer there. With
    `issued_only` evidence counts from the mint it was used for, and what left again counts too.
    """
    holdings = _vouched(minted_only=issued_only)
    if issued_only:
        again = Issuance.objects.filter(state__in=MINTED).exclude(rejection=None)
        for asset, units in again.values_list("asset_id", "amount_units"):
            holdings[asset] += units
    else:
        for asset, units in _delivered().items():
            holdings[asset] -= units
    return holdings


def _vouched(*, minted_only: bool) -> dict[int, int]:
    keys, holdings = evidence_keys(), {asset: 0 for asset in assets_by_id()}
    minted = Q(issuance__state__in=MINTED) if minted_only else Q()
    for notice in BankNotice.objects.filter(minted).select_related("asset").iterator():
        if _verifies(evidence.notice_verify, keys, notice_document(notice)):
            holdings[notice.asset_id] += notice.amount_units
    for registration in RegistrarNotice.objects.filter(minted).select_related("asset").iterator():
        if _verifies(evidence.registrar_verify, keys, registrar_document(registration)):
            holdings[registration.asset_id] += registration.amount_units
    for receipt in VaultReceipt.objects.filter(minted).select_related("asset").iterator():
        if _verifies(evidence.receipt_verify, keys, receipt_document(receipt)):
            holdings[receipt.asset_id] += receipt.fine_units
    paid_in = CashDeposit.objects.filter(minted).exclude(state=CashDeposit.State.RETURNED)
    for deposit in paid_in.exclude(asset=None).select_related("asset").iterator():
        assert deposit.asset is not None
        if _verifies(_deposit_verify, keys, deposit.document):
            holdings[deposit.asset.pk] += deposit.amount * 10**deposit.asset.decimals
    return holdings


def _delivered() -> dict[int, int]:
    """Return units per asset that banks paid out and vaults handed over, by their signed word."""
    delivered: dict[int, int] = defaultdict(int)
    done = Withdrawal.objects.filter(state=Withdrawal.State.COMPLETED)
    gone = done.filter(Q(release__isnull=False) | Q(payment__answer__isnull=False))
    for asset, units in gone.values_list("asset_id", "amount_units"):
        delivered[asset] += units
    return delivered


def _deposit_verify(keys: EvidenceKeys, instance: UUID, document: Mapping[str, Any]) -> object:
    return document_verify(DepositNotice, keys, instance, document)


def _verifies(
    verify: Callable[..., object],
    keys: EvidenceKeys,
    document: Mapping[str, Any],
) -> bool:
    try:
        verify(keys, settings.INSTANCE_ID, document)
    except EvidenceInvalid:
        return False
    return True

"""Questions about what outsiders signed, and what they vouch for."""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.db.models import Q

from custody import evidence
from custody.errors import EvidenceInvalid
from custody.models import BankNotice, EvidenceKey, Issuance, RegistrarNotice, VaultReceipt
from custody.selectors.accounts import assets_by_id


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

    With `issued_only` evidence counts from the mint it was used for; without, from its receipt.
    """
    keys, holdings = evidence_keys(), {asset: 0 for asset in assets_by_id()}
    notices = BankNotice.objects.select_related("asset")
    receipts = VaultReceipt.objects.select_related("asset")
    registrations = RegistrarNotice.objects.select_related("asset")
    if issued_only:
        minted = Q(issuance__state__in=[Issuance.State.MINTED, Issuance.State.CREDITED])
        notices, receipts = notices.filter(minted), receipts.filter(minted)
        registrations = registrations.filter(minted)
    for notice in notices.iterator():
        if _verifies(evidence.notice_verify, keys, notice_document(notice)):
            holdings[notice.asset_id] += notice.amount_units
    for registration in registrations.iterator():
        if _verifies(evidence.registrar_verify, keys, registrar_document(registration)):
            holdings[registration.asset_id] += registration.amount_units
    for receipt in receipts.iterator():
        if _verifies(evidence.receipt_verify, keys, receipt_document(receipt)):
            holdings[receipt.asset_id] += receipt.fine_units
    return holdings


def _verifies(
    verify: Callable[..., None],
    keys: Mapping[str, tuple[str, bytes]],
    document: Mapping[str, object],
) -> bool:
    try:
        verify(keys, settings.INSTANCE_ID, document)
    except EvidenceInvalid:
        return False
    return True

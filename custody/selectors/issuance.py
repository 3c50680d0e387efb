"""Questions about evidence on its way to title."""

import re
from uuid import UUID

from django.db.models import Q

from custody import evidence
from custody.models import Issuance

_REFERENCE = re.compile(r"mint:([0-9]{1,18})|withdrawal:([0-9a-f]{32}):rejected")


def issuance_of(*, evidence_kind: str, evidence_id: str) -> Issuance | None:
    """Return what became of a piece of evidence, or None while no act has used it."""
    name = {
        evidence.BANK_NOTICE: "notice",
        evidence.VAULT_RECEIPT: "receipt",
        evidence.REGISTRAR_NOTICE: "registration",
    }[evidence_kind]
    return Issuance.objects.filter(**{f"{name}_id": evidence_id}).first()


def issuances_since(sequence: int) -> list[Issuance]:
    """Return issuances with a mint on its way, not credited up to a sequence number."""
    rows = Issuance.objects.filter(Q(engine_sequence=None) | Q(engine_sequence__gt=sequence))
    return list(rows.exclude(intent=None).select_related("intent").order_by("id"))


def issuance_reference(issuance: Issuance) -> str:
    """Return the engine's reference of the credit; a rejected payment's names its withdrawal."""
    if issuance.rejection_id is not None:
        return f"withdrawal:{issuance.rejection_id.hex}:rejected"
    return f"mint:{issuance.pk}"


def issuance_credited_as(reference: str) -> Issuance | None:
    """Return the issuance whose credit carries this reference, or None when none does."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    number, rejected = match.groups()
    named = {"pk": int(number)} if number else {"rejection": UUID(rejected)}
    return Issuance.objects.filter(**named).select_related("intent").first()

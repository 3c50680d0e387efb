"""Questions about evidence on its way to title."""

from django.db.models import Q

from custody import evidence
from custody.models import Issuance


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


def issuance_credited_as(reference: str) -> Issuance | None:
    """Return the issuance whose credit carries this reference, or None when none does."""
    prefix, _, number = reference.partition(":")
    if prefix != "mint" or not number.isdecimal():
        return None
    return Issuance.objects.filter(pk=int(number)).select_related("intent").first()

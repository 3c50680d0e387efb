"""Bars on their way out of a vault: ordered once the burn is final, released by its signed word."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from compliance import intent_life
from compliance import services as compliance
from custody import evidence, locks, selectors
from custody.errors import Conflict, EvidenceInvalid, NotFound
from custody.models import ReleaseDue, VaultRelease, Withdrawal
from custody.services.withdrawal_life import BODY, audit, close

SEND_LIMIT = 1000


def release_order(withdrawal: Withdrawal) -> None:
    """Wish, in the caller's transaction, that the vault hands over a withdrawal's bars."""
    held = withdrawal.bars.select_related("bar__receipt").first()
    assert held is not None, f"withdrawal {withdrawal.pk} reserves no bar"
    ReleaseDue.objects.create(withdrawal=withdrawal, vault_id=held.bar.receipt.vault_id)
    intent_life.notify(BODY)


def releases_unsigned(limit: int) -> list[ReleaseDue]:
    """Return orders that wait for custody's signature, oldest first."""
    rows = ReleaseDue.objects.filter(signature=None, due_at__lte=timezone.now())
    if not rows.exists():  # asked each second, and the joins take long to plan
        return []
    related = ("withdrawal__asset", "withdrawal__act__proposer__user")
    ordered = rows.select_related(*related, "withdrawal__act__approver__user")
    return list(ordered.order_by("created_at")[:limit])


def release_signed(withdrawal_id: UUID, signature: bytes) -> bool:
    """Keep the signer's signature, once."""
    rows = ReleaseDue.objects.filter(pk=withdrawal_id, signature=None)
    return bool(rows.update(signature=signature, error=""))


def release_defer(withdrawal_id: UUID, *, error: str) -> None:
    """Note why the signer refused; it looks again later."""
    compliance.put_off(ReleaseDue.objects.filter(pk=withdrawal_id), error=error)


def release_await(withdrawal_id: UUID, *, error: str) -> None:
    """Note that officers must decide first; the signer looks again in a minute."""
    compliance.put_by(ReleaseDue.objects.filter(pk=withdrawal_id), error=error)


def releases_send() -> list[dict[str, Any]]:
    """Return every signed order that its vault has not answered.

    Sending again is safe: the vault releases a bar once.
    """
    rows = ReleaseDue.objects.exclude(signature=None).filter(withdrawal__release=None)
    ordered = rows.select_related("withdrawal__asset").order_by("created_at")
    return [selectors.release_document(due) for due in ordered[:SEND_LIMIT]]


@transaction.atomic
def vault_release_receive(*, document: Mapping[str, Any]) -> VaultRelease:
    """Keep a vault's signed release and complete its withdrawal; the same again returns it.

    Raises `EvidenceInvalid`, `NotFound`, `Conflict` (released otherwise, or never ordered).
    """
    evidence.release_verify(selectors.evidence_keys(), settings.INSTANCE_ID, document)
    try:
        withdrawal = locks.withdrawal_lock(UUID(document["withdrawal"]))
    except ValueError as error:
        raise NotFound(f"no withdrawal {document['withdrawal']!a}") from error
    known = VaultRelease.objects.filter(withdrawal=withdrawal).first()
    if known is not None:
        if bytes(known.signature).hex() != document["signature"].lower():
            raise Conflict(f"withdrawal {withdrawal.pk} was released by {known.pk}")
        return known
    due = ReleaseDue.objects.filter(pk=withdrawal.pk).first()
    if due is None or withdrawal.state != Withdrawal.State.EXECUTED:
        raise Conflict(f"withdrawal {withdrawal.pk} is {withdrawal.state}, no release was ordered")
    ordered = selectors.release_document(due)
    for name in ("vault", "asset", "bars", "fine_units", "pickup"):
        if document[name] != ordered[name]:
            raise EvidenceInvalid(f"{name} is {document[name]!a}, ordered was {ordered[name]!a}")
    release = VaultRelease.objects.create(
        release_id=document["release_id"],
        withdrawal=withdrawal,
        vault_id=document["vault"],
        fine_units=document["fine_units"],
        bars=document["bars"],
        released_at=document["released_at"],
        signature=evidence.signature_parse(document["signature"]),
    )
    close(withdrawal, Withdrawal.State.COMPLETED)
    audit(withdrawal, "withdrawal.completed", {"release": release.pk})
    compliance.audit_append(
        body=BODY,
        actor=f"vault:{document['vault']}",
        action="vault_release.received",
        subject=f"vault_release:{release.pk}",
        detail={"withdrawal": str(withdrawal.pk), "fine_units": release.fine_units},
    )
    return release

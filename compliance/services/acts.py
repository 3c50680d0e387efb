"""Acts of officers: proposed by one, approved by another of the same body, executed once."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from compliance import acts, locks
from compliance.canonical import canonical_json
from compliance.errors import Conflict, Forbidden, Invalid, NotFound, SignatureInvalid
from compliance.models import Act, Body, Officer, Party
from compliance.services.audit import audit_append
from compliance.wake import wake

# The package that executes a body's acts, where it is not named like the body.
TASK_PREFIX = {Body.CLEARING.value: "settlement"}
RETRY_DELAY_MAX_S = 60


def act_draft(*, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload as it is to be signed: an act on a party names the version it will make.

    Raises `Invalid` for a malformed payload, `NotFound` for an unknown holder.
    """
    draft = dict(payload)
    if "version" in acts.KINDS.get(kind, {}) and "version" not in draft:
        draft["version"] = _party(draft.get("holder")).version + 1
    acts.payload_check(kind, draft)
    return draft


@transaction.atomic
def act_propose(
    *,
    officer: Officer,
    kind: str,
    payload: Mapping[str, Any],
    reason: str,
    signature: bytes,
    act_id: UUID,
) -> Act:
    """Record a proposal signed by its officer; the same again returns the first.

    The signature covers `acts.act_message` of exactly this payload (see `act_draft`). Raises
    `Invalid`, `Forbidden` (another body's kind, inactive), `SignatureInvalid`, `Conflict` (the id
    or signature was used otherwise, or the party has moved on).
    """
    body = acts.act_body(kind)
    acts.payload_check(kind, payload)
    if not 1 <= len(reason) <= acts.REASON_LENGTH_MAX:
        raise Invalid(f"reason must have 1 to {acts.REASON_LENGTH_MAX} characters")
    _officer_check(officer, body)
    message = _message(act_id, body, kind, payload, reason)
    if not acts.signature_verify(bytes(officer.public_key), signature, message):
        raise SignatureInvalid(f"signature of {officer.user.username} does not cover act {act_id}")
    existing = Act.objects.filter(id=act_id).first()
    if existing is not None:
        if bytes(existing.proposer_signature) != signature:
            raise Conflict(f"act {act_id} exists with other content")
        return existing
    _version_check(payload)
    act = Act.objects.create(
        id=act_id,
        body=body,
        kind=kind,
        payload=dict(payload),
        payload_hash=hashlib.sha256(canonical_json(dict(payload))).digest(),
        reason=reason,
        proposer=officer,
        proposer_signature=signature,
    )
    _audit(act, officer, "act.proposed", {"kind": kind, "reason": reason})
    return act


@transaction.atomic
def act_approve(*, act_id: UUID, officer: Officer, signature: bytes) -> Act:
    """Approve with the officer's own signature over the same bytes, and wake the body's execution.

    The same approval again returns the act. Raises `NotFound`, `Forbidden` (the proposer, another
    body's officer, inactive), `SignatureInvalid`, `Conflict` (decided otherwise, party moved on).
    """
    act = locks.act_lock(act_id)
    _officer_check(officer, act.body)
    if officer.pk == act.proposer_id:
        raise Forbidden("an act is approved by another officer than its proposer")
    message = act_signed_bytes(act)
    if not acts.signature_verify(bytes(officer.public_key), signature, message):
        raise SignatureInvalid(f"signature of {officer.user.username} does not cover act {act_id}")
    if act.state != Act.State.PROPOSED:
        if act.approver_id == officer.pk and act.state != Act.State.REJECTED:
            return act
        raise Conflict(f"act {act_id} is {act.state}, expected proposed")
    _version_check(act.payload)
    act.approver, act.approver_signature = officer, signature
    act.state, act.decided_at = Act.State.APPROVED, timezone.now()
    act.save(update_fields=["approver", "approver_signature", "state", "decided_at"])
    _audit(act, officer, "act.approved", {"kind": act.kind})
    wake(f"{TASK_PREFIX.get(act.body, act.body)}.act_execute", str(act.id))
    return act


@transaction.atomic
def act_reject(*, act_id: UUID, officer: Officer, reason: str) -> Act:
    """Reject a proposal. Raises `NotFound`, `Forbidden` (as for an approval), `Conflict`."""
    act = locks.act_lock(act_id)
    _officer_check(officer, act.body)
    if officer.pk == act.proposer_id:
        raise Forbidden("an act is rejected by another officer than its proposer")
    if act.state != Act.State.PROPOSED:
        raise Conflict(f"act {act_id} is {act.state}, expected proposed")
    act.approver, act.state, act.decided_at = officer, Act.State.REJECTED, timezone.now()
    act.result = {"rejected": reason}
    act.save(update_fields=["approver", "state", "decided_at", "result"])
    _audit(act, officer, "act.rejected", {"reason": reason})
    return act


def act_claim(*, act_id: UUID, body: str) -> Act:
    """Return the act, locked in the caller's transaction, for the body that executes it.

    Raises `NotFound`, `Conflict` when it belongs to another body.
    """
    act = locks.act_lock(act_id)
    if act.body != body:
        raise Conflict(f"act {act_id} belongs to {act.body}, not to {body}")
    return act


def act_complete(*, act_id: UUID, result: Mapping[str, Any]) -> Act:
    """Record that the act was carried out; again changes nothing. Raises `Conflict`, `NotFound`."""
    return _end(act_id, Act.State.EXECUTED, dict(result))


def act_fail(*, act_id: UUID, error: str) -> Act:
    """Record that the act can never be carried out; again changes nothing. Raises as above."""
    return _end(act_id, Act.State.FAILED, {"error": error})


@transaction.atomic
def act_retry(*, act_id: UUID, error: str) -> Act:
    """Leave an approved act to the sweeper, later each time, with what stood in the way."""
    act = locks.act_lock(act_id)
    if act.state == Act.State.APPROVED:
        act.due_at = timezone.now() + timedelta(seconds=min(2**act.attempts, RETRY_DELAY_MAX_S))
        act.attempts += 1
        act.result = {"waiting": error}
        act.save(update_fields=["attempts", "due_at", "result"])
    return act


def act_signed_bytes(act: Act) -> bytes:
    """Return the bytes that both signatures of this act must cover, for this instance."""
    return _message(act.id, act.body, act.kind, act.payload, act.reason)


@transaction.atomic
def _end(act_id: UUID, state: str, result: dict[str, Any]) -> Act:
    act = locks.act_lock(act_id)
    if act.state == state:
        return act
    if act.state != Act.State.APPROVED:
        raise Conflict(f"act {act_id} is {act.state}, expected approved")
    act.state, act.result, act.executed_at = Act.State(state), result, timezone.now()
    act.save(update_fields=["state", "result", "executed_at"])
    audit_append(
        body=act.body,
        actor=f"process:{act.body}",
        action=f"act.{state}",
        subject=f"act:{act.id}",
        detail=result,
    )
    return act


def _message(act_id: UUID, body: str, kind: str, payload: Mapping[str, Any], reason: str) -> bytes:
    return acts.act_message(
        instance=settings.INSTANCE_ID,
        act_id=act_id,
        body=body,
        kind=kind,
        payload=payload,
        reason=reason,
    )


def _officer_check(officer: Officer, body: str) -> None:
    if officer.body != body or not officer.active or not officer.user.is_active:
        raise Forbidden(f"{officer.user.username} is no active officer of {body}")


def _party(holder: object) -> Party:
    party = Party.objects.filter(holder=holder).first() if type(holder) is int else None
    if party is None:
        raise NotFound(f"no party has holder number {holder!r}")
    return party


def _version_check(payload: Mapping[str, Any]) -> None:
    if "version" in payload:
        party = _party(payload["holder"])
        if payload["version"] != party.version + 1:
            raise Conflict(
                f"act makes version {payload['version']} of a party which stands at "
                f"{party.version}: propose it anew"
            )


def _audit(act: Act, officer: Officer, action: str, detail: dict[str, Any]) -> None:
    audit_append(
        body=act.body,
        actor=f"officer:{officer.user.username}",
        action=action,
        subject=f"act:{act.id}",
        detail=detail,
    )

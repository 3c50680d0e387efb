"""The audit log: every act of a person or process, each row bound to the one before by hash."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from compliance.canonical import canonical_json
from compliance.locks import audit_lock
from compliance.models import AuditRecord

GENESIS = bytes(32)


@transaction.atomic(savepoint=False)
def audit_append(
    *, body: str, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> AuditRecord:
    """Append a record in the caller's transaction; call it last, for it holds the log's lock.

    `actor` is `officer:<username>` or `process:<name>`, `action` a past-tense
    `<entity>.<verb>`, `subject` `<entity>:<id>`; `detail` holds integers and strings only.
    """
    audit_lock()
    last = AuditRecord.objects.order_by("-id").first()
    record = AuditRecord(
        id=last.id + 1 if last else 1,
        at=timezone.now(),
        body=body,
        actor=actor,
        action=action,
        subject=subject,
        detail=dict(detail or {}),
        previous_hash=bytes(last.hash) if last else GENESIS,
    )
    record.hash = audit_hash(record)
    record.save(force_insert=True)
    return record


def audit_hash(record: AuditRecord) -> bytes:
    """Return SHA-256 over the previous hash and every other column of the record."""
    assert isinstance(record.at, datetime)
    content = {
        "id": record.id,
        "at": record.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "body": record.body,
        "actor": record.actor,
        "action": record.action,
        "subject": record.subject,
        "detail": record.detail,
    }
    return hashlib.sha256(bytes(record.previous_hash) + canonical_json(content)).digest()

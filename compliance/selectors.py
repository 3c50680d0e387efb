"""Questions about parties, officers, acts and the audit log; they read and change nothing."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.utils import timezone

from compliance.errors import NotFound
from compliance.models import (
    Act,
    AuditRecord,
    ChainAddresses,
    HolderAddress,
    Officer,
    Party,
    SignerKey,
)
from compliance.services.audit import GENESIS, audit_hash


def party_get(*, holder: int) -> Party:
    """Return the party under a holder number. Raises `NotFound`."""
    party = Party.objects.filter(holder=holder).first()
    if party is None:
        raise NotFound(f"no party has holder number {holder}")
    return party


def holder_frozen(holder: int) -> bool:
    """Tell whether a freeze of the holder is in force."""
    return Party.objects.filter(holder=holder, frozen=True).exists()


def parties_behind(limit: int) -> list[int]:
    """Return ids of parties that wait for the engine, then of those that wait for the registry."""
    version = Party.objects.filter(holder=OuterRef("holder")).values("version")
    behind = HolderAddress.objects.annotate(version=Subquery(version)).filter(
        intent_version__lt=F("version")
    )
    unapplied = Party.objects.filter(version__gt=0, engine_sequence=None)
    unasked = Party.objects.filter(holder__in=behind.values("holder"))
    found = [*_ids(unapplied, limit), *_ids(unasked, limit)]
    return list(dict.fromkeys(found))[:limit]


def _ids(rows: QuerySet[Party], limit: int) -> list[int]:
    return list(rows.order_by("id").values_list("id", flat=True)[:limit])


def officer_get(username: str) -> Officer:
    """Return the officer behind a user name. Raises `NotFound`."""
    officer = Officer.objects.select_related("user").filter(user__username=username).first()
    if officer is None:
        raise NotFound(f"no officer {username}")
    return officer


def act_get(act_id: UUID) -> Act:
    """Return an act with its officers. Raises `NotFound`."""
    act = _acts().filter(id=act_id).first()
    if act is None:
        raise NotFound(f"no act {act_id}")
    return act


def acts_list(*, body: str | None = None, state: str | None = None, limit: int = 100) -> list[Act]:
    """Return acts, newest first."""
    wanted = {"body": body, "state": state}
    rows = _acts().filter(**{name: value for name, value in wanted.items() if value})
    return list(rows.order_by("-created_at")[:limit])


def acts_due(body: str, *, limit: int = 100) -> list[Act]:
    """Return approved acts of a body that wait for execution, oldest first."""
    rows = Act.objects.filter(body=body, state=Act.State.APPROVED, due_at__lte=timezone.now())
    return list(rows.order_by("due_at")[:limit])


def acts_of_holder(holder: int) -> list[Act]:
    """Return the executed acts that made a party's versions, in their order."""
    rows = _acts().filter(body="compliance", state=Act.State.EXECUTED, payload__holder=holder)
    return sorted(rows, key=lambda act: int(act.payload["version"]))


def signer_addresses() -> dict[str, str]:
    """Return the chain address of each body's signer that announced itself."""
    return dict(SignerKey.objects.values_list("body", "address"))


def chain_addresses_get(body: str) -> ChainAddresses | None:
    """Return where a body's contracts stand, or None before the deployment."""
    return ChainAddresses.objects.filter(body=body).first()


def audit_broken() -> Iterator[tuple[int, str]]:
    """Yield (id, what is wrong) for each record that its hash, place or predecessor contradicts."""
    previous_id, previous_hash = 0, GENESIS
    for record in AuditRecord.objects.order_by("id").iterator(chunk_size=2000):
        if record.id != previous_id + 1:
            yield record.id, f"follows record {previous_id}: records between are gone"
        elif bytes(record.previous_hash) != previous_hash:
            yield record.id, "does not carry the hash of the record before"
        if audit_hash(record) != bytes(record.hash):
            yield record.id, "content differs from its hash"
        previous_id, previous_hash = record.id, bytes(record.hash)


def audit_head() -> tuple[int, str]:
    """Return id and hex hash of the last record; kept elsewhere they witness the whole log."""
    last = AuditRecord.objects.order_by("-id").first()
    return (last.id, bytes(last.hash).hex()) if last else (0, GENESIS.hex())


def audit_hash_at(record_id: int) -> str:
    """Return the hex hash of a record, empty when there is none."""
    row = AuditRecord.objects.filter(id=record_id).first()
    return bytes(row.hash).hex() if row else ""


def _acts() -> QuerySet[Act]:
    return Act.objects.select_related("proposer__user", "approver__user")

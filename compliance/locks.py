"""Row and advisory locks of compliance, all taken inside the caller's transaction.

Every body locks rows by FOR NO KEY UPDATE: foreign keys are checked at commit, when the audit log's
lock is held already, and such a check must not wait for a row that somebody changes.
"""

from uuid import UUID

from django.db import connection

from compliance.errors import NotFound
from compliance.models import Act, HolderAddress, Party

# "audit" as a number: one writer at a time appends to the hash chain.
AUDIT_LOCK = 0x6175646974


def act_lock(act_id: UUID) -> Act:
    """Return the act with its row locked. Raises `NotFound`."""
    act = Act.objects.select_for_update(of=("self",), no_key=True).filter(id=act_id).first()
    if act is None:
        raise NotFound(f"no act {act_id}")
    return act


def party_lock(holder: int) -> Party:
    """Return the party with its row locked. Raises `NotFound`."""
    party = Party.objects.select_for_update(no_key=True).filter(holder=holder).first()
    if party is None:
        raise NotFound(f"no party has holder number {holder}")
    return party


def addresses_lock(holder: int, *, below_version: int) -> list[HolderAddress]:
    """Return a holder's addresses whose last intent is older, with their rows locked."""
    rows = HolderAddress.objects.filter(holder=holder, intent_version__lt=below_version)
    return list(rows.select_for_update(no_key=True).order_by("id"))


def audit_lock() -> None:
    """Hold the audit log for this transaction; take it after all row locks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])

"""The audit log: nobody edits it unseen, not even the owner of the table."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from compliance import selectors, services
from compliance.canonical import JSON
from compliance.errors import Invalid
from compliance.models import AuditRecord

pytestmark = pytest.mark.django_db


def _append(count: int, **detail: JSON) -> list[int]:
    return [
        services.audit_append(
            body="compliance",
            actor="process:test",
            action="thing.done",
            subject=f"thing:{number}",
            detail={"number": number, "text": "ü 金", **detail},
        ).id
        for number in range(count)
    ]


def _as_owner(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE compliance_auditrecord DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE compliance_auditrecord ENABLE TRIGGER USER")


def _verify(*arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command("audit_verify", *arguments, stdout=out)
    answer: dict[str, object] = json.loads(out.getvalue())
    return answer


def test_log_verifies_when_untouched() -> None:
    ids = _append(3, big=2**63, nested={"b": [1, None, True], "a": "x"})
    last_id, digest = selectors.audit_head()
    assert last_id == ids[-1]
    assert _verify() == {"records": last_id, "hash": digest}
    assert _verify("--expect", f"{ids[0]}:{selectors.audit_hash_at(ids[0])}")


@pytest.mark.parametrize(
    "edit",
    [
        "actor = 'officer:nobody'",
        "action = 'thing.undone'",
        "subject = 'thing:9'",
        "body = 'custody'",
        "at = at + interval '1 microsecond'",
        """detail = jsonb_set(detail, '{number}', '7')""",
        "hash = sha256('x')",
        "previous_hash = sha256('x')",
    ],
)
def test_verification_names_the_record_when_its_owner_edited_it(edit: str) -> None:
    ids = _append(3)
    _as_owner(f"UPDATE compliance_auditrecord SET {edit} WHERE id = %s", ids[1])
    with pytest.raises(CommandError, match=f"audit record {ids[1]}:"):
        _verify()


def test_verification_sees_a_record_taken_out_and_a_cut_end() -> None:
    ids = _append(4)
    head = selectors.audit_head()
    _as_owner("DELETE FROM compliance_auditrecord WHERE id = %s", ids[3])
    with pytest.raises(CommandError, match=f"audit record {head[0]} is gone"):
        _verify("--expect", f"{head[0]}:{head[1]}")
    _as_owner("DELETE FROM compliance_auditrecord WHERE id = %s", ids[1])
    with pytest.raises(CommandError, match=f"audit record {ids[2]}: .*between are gone"):
        _verify()


def test_an_edit_with_its_own_hash_mended_breaks_the_next_record() -> None:
    ids = _append(2)
    record = AuditRecord.objects.get(id=ids[0])
    record.actor = "officer:nobody"
    _as_owner(
        "UPDATE compliance_auditrecord SET actor = %s, hash = %s WHERE id = %s",
        record.actor,
        services.audit_hash(record),
        ids[0],
    )
    with pytest.raises(CommandError, match=f"audit record {ids[1]}: does not carry"):
        _verify()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE compliance_auditrecord SET actor = 'x'",
        "DELETE FROM compliance_auditrecord",
        "TRUNCATE compliance_auditrecord",
    ],
)
def test_database_refuses_to_change_the_log(statement: str) -> None:
    _append(1)
    before = list(AuditRecord.objects.values_list())
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert list(AuditRecord.objects.values_list()) == before


def test_detail_with_a_float_is_refused() -> None:
    count = AuditRecord.objects.count()
    with pytest.raises(Invalid), transaction.atomic():
        services.audit_append(
            body="compliance", actor="a", action="b", subject="c", detail={"price": 1.5}
        )
    assert AuditRecord.objects.count() == count

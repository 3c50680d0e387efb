"""Two officers decide: what the services refuse, and what the database refuses by itself."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from compliance import selectors, services
from compliance.errors import (
    BodyRefused,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SignatureInvalid,
)
from compliance.models import Act, AuditRecord, Officer, Party, User
from tests.compliance.desks import REASON, Desk, act_approved, desk_open

pytestmark = pytest.mark.django_db
IDENTIFY = "compliance.identify"


def _refused_by_database(statement: str, *values: Any) -> str:
    with (
        pytest.raises(IntegrityError) as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, values)
    return str(caught.value)


def test_act_is_approved_when_a_second_officer_signs(
    grace: Desk, henry: Desk, party: Party
) -> None:
    act = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    assert act.state == "proposed"
    assert act.payload == {"holder": party.holder, "classes": 1, "version": 1}
    approved = henry.approve(act)
    assert (approved.state, approved.approver_id) == ("approved", henry.officer.pk)
    assert selectors.acts_due("compliance") == [approved]
    actions = AuditRecord.objects.filter(subject=f"act:{act.id}").order_by("id")
    assert list(actions.values_list("action", "actor")) == [
        ("act.proposed", "officer:grace"),
        ("act.approved", "officer:henry"),
    ]


def test_approval_wakes_the_execution_by_name(
    grace: Desk, henry: Desk, party: Party, django_capture_on_commit_callbacks: Any
) -> None:
    act = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    with django_capture_on_commit_callbacks() as callbacks:
        henry.approve(act)
    assert len(callbacks) == 1


def test_proposal_and_approval_change_nothing_when_repeated(
    grace: Desk, henry: Desk, party: Party
) -> None:
    act = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    again = services.act_propose(
        officer=grace.officer,
        kind=act.kind,
        payload=act.payload,
        reason=REASON,
        signature=bytes(act.proposer_signature),
        act_id=act.id,
    )
    assert (again, Act.objects.count()) == (act, 1)
    henry.approve(act)
    records = AuditRecord.objects.count()
    assert henry.approve(act).state == "approved"
    assert AuditRecord.objects.count() == records


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"holder": 5},
        {"holder": "5", "classes": 1, "version": 1},
        {"holder": 5, "classes": True, "version": 1},
        {"holder": 5, "classes": 1.0, "version": 1},
        {"holder": 5, "classes": 4, "version": 1},
        {"holder": 5, "classes": -1, "version": 1},
        {"holder": 0, "classes": 1, "version": 1},
        {"holder": 5, "classes": 1, "version": 1, "extra": 1},
    ],
)
def test_proposal_is_refused_when_the_payload_is_malformed(
    grace: Desk, payload: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        services.act_propose(
            officer=grace.officer,
            kind=IDENTIFY,
            payload=payload,
            reason=REASON,
            signature=bytes(64),
            act_id=uuid4(),
        )
    assert not Act.objects.exists()


def test_proposal_is_refused_for_unknown_kind_holder_and_empty_reason(grace: Desk) -> None:
    with pytest.raises(Invalid, match="unknown kind"):
        services.act_draft(kind="compliance.bribe", payload={})
    with pytest.raises(NotFound):
        services.act_draft(kind=IDENTIFY, payload={"holder": 5, "classes": 1})
    with pytest.raises(Invalid, match="reason"):
        services.act_propose(
            officer=grace.officer,
            kind="clearing.unwind",
            payload={"batch_id": 1},
            reason="",
            signature=bytes(64),
            act_id=uuid4(),
        )


def test_proposal_is_refused_when_the_signature_covers_something_else(
    grace: Desk, party: Party
) -> None:
    payload = services.act_draft(kind=IDENTIFY, payload={"holder": party.holder, "classes": 1})
    act_id = uuid4()
    for signature in (
        bytes(64),
        b"short",
        grace.sign(uuid4(), IDENTIFY, payload),
        grace.sign(act_id, IDENTIFY, {**payload, "classes": 2}),
        grace.sign(act_id, "compliance.freeze", payload),
    ):
        with pytest.raises(SignatureInvalid):
            services.act_propose(
                officer=grace.officer,
                kind=IDENTIFY,
                payload=payload,
                reason=REASON,
                signature=signature,
                act_id=act_id,
            )
    assert not Act.objects.exists()


def test_signature_of_another_instance_is_refused(
    grace: Desk, henry: Desk, party: Party, settings: Any
) -> None:
    act = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    ours, settings.INSTANCE_ID = settings.INSTANCE_ID, uuid4()
    foreign = henry.sign(act.id, act.kind, act.payload)
    settings.INSTANCE_ID = ours
    with pytest.raises(SignatureInvalid):
        services.act_approve(act_id=act.id, officer=henry.officer, signature=foreign)


def _approval_refused(act: Act, desk: Desk, signature: bytes, error: type[BodyRefused]) -> None:
    records = AuditRecord.objects.count()
    with pytest.raises(error):
        services.act_approve(act_id=act.id, officer=desk.officer, signature=signature)
    act.refresh_from_db()
    assert (act.state, act.approver_id, act.approver_signature) == ("proposed", None, None)
    assert AuditRecord.objects.count() == records


def test_approval_is_refused_when_it_is_not_another_officers_own(
    grace: Desk, henry: Desk, party: Party
) -> None:
    act = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    other = grace.propose("compliance.freeze", holder=party.holder)
    stranger = desk_open("victor", "venue")
    _approval_refused(act, grace, grace.sign(act.id, act.kind, act.payload), Forbidden)
    _approval_refused(act, stranger, stranger.sign(act.id, act.kind, act.payload), Forbidden)
    _approval_refused(act, henry, bytes(act.proposer_signature), SignatureInvalid)
    _approval_refused(act, henry, grace.sign(act.id, act.kind, act.payload), SignatureInvalid)
    altered = henry.sign(act.id, act.kind, {**act.payload, "classes": 3})
    _approval_refused(act, henry, altered, SignatureInvalid)
    replayed = henry.sign(other.id, other.kind, other.payload)
    _approval_refused(act, henry, replayed, SignatureInvalid)
    services.officer_deactivate(username="henry", actor="process:test")
    retired = Desk(selectors.officer_get("henry"), henry.key)
    _approval_refused(act, retired, henry.sign(act.id, act.kind, act.payload), Forbidden)


def test_approval_is_refused_when_the_party_has_moved_on(
    grace: Desk, henry: Desk, party: Party
) -> None:
    late = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    freeze = act_approved(grace, henry, "compliance.freeze", holder=party.holder)
    services.act_execute(act_id=freeze.id)
    _approval_refused(late, henry, henry.sign(late.id, late.kind, late.payload), Conflict)


def test_rejection_ends_a_proposal(grace: Desk, henry: Desk, party: Party) -> None:
    act = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    with pytest.raises(Forbidden):
        services.act_reject(act_id=act.id, officer=grace.officer, reason="mine")
    rejected = services.act_reject(act_id=act.id, officer=henry.officer, reason="no passport")
    assert (rejected.state, rejected.result) == ("rejected", {"rejected": "no passport"})
    with pytest.raises(Conflict):
        henry.approve(act)


def test_ending_an_act_twice_changes_nothing(grace: Desk, henry: Desk, party: Party) -> None:
    act = act_approved(grace, henry, IDENTIFY, holder=party.holder, classes=1)
    with pytest.raises(Conflict):
        services.act_claim(act_id=act.id, body="custody")
    services.act_complete(act_id=act.id, result={"n": 1})
    assert services.act_complete(act_id=act.id, result={"n": 2}).result == {"n": 1}
    with pytest.raises(Conflict):
        services.act_fail(act_id=act.id, error="late")


def test_failed_execution_is_due_later_each_time(grace: Desk, henry: Desk, party: Party) -> None:
    act = act_approved(grace, henry, IDENTIFY, holder=party.holder, classes=1)
    first = services.act_retry(act_id=act.id, error="engine away")
    second = services.act_retry(act_id=act.id, error="engine away")
    assert second.due_at > first.due_at > act.due_at
    assert (second.attempts, second.state) == (2, "approved")
    assert selectors.acts_due("compliance") == []


def test_database_refuses_unlawful_approvals_by_itself(
    grace: Desk, henry: Desk, party: Party
) -> None:
    act = grace.propose(IDENTIFY, holder=party.holder, classes=1)
    stranger = desk_open("victor", "venue")
    approve = (
        "UPDATE compliance_act SET state='approved', approver_id=%s, approver_signature=%s"
        " WHERE id=%s"
    )
    own = _refused_by_database(approve, grace.officer.pk, bytes(64), act.id)
    assert "act_two_officers" in own
    foreign = _refused_by_database(approve, stranger.officer.pk, bytes(64), act.id)
    assert "must both serve compliance" in foreign
    unsigned = _refused_by_database(approve, henry.officer.pk, None, act.id)
    assert "act_approval_signed" in unsigned
    short = _refused_by_database(approve, henry.officer.pk, bytes(63), act.id)
    assert "act_sizes" in short
    nobody = _refused_by_database("UPDATE compliance_act SET state='rejected'")
    assert "act_decided_by_someone" in nobody
    skipped = _refused_by_database("UPDATE compliance_act SET state='executed' WHERE id=%s", act.id)
    assert "cannot become executed" in skipped
    act.refresh_from_db()
    assert act.state == "proposed"


def test_database_refuses_a_signature_replayed_on_another_act(
    grace: Desk, henry: Desk, party: Party
) -> None:
    first = act_approved(grace, henry, IDENTIFY, holder=party.holder, classes=1)
    second = grace.propose("compliance.freeze", holder=party.holder)
    replayed = _refused_by_database(
        "UPDATE compliance_act SET state='approved', approver_id=%s, approver_signature=%s"
        " WHERE id=%s",
        henry.officer.pk,
        bytes(first.approver_signature or b""),
        second.id,
    )
    assert "approver_signature" in replayed


def test_database_refuses_to_alter_or_remove_an_act(grace: Desk, henry: Desk, party: Party) -> None:
    act = act_approved(grace, henry, IDENTIFY, holder=party.holder, classes=1)
    for column, value in (
        ("payload", '{"classes": 3}'),
        ("reason", "other"),
        ("kind", "compliance.freeze"),
        ("proposer_id", henry.officer.pk),
        ("proposer_signature", bytes(64)),
    ):
        assert _refused_by_database(
            f"UPDATE compliance_act SET {column}=%s WHERE id=%s", value, act.id
        )
    decided = _refused_by_database(
        "UPDATE compliance_act SET approver_signature=%s WHERE id=%s", bytes(64), act.id
    )
    assert "decision cannot be changed" in decided
    assert "append-only" in _refused_by_database("DELETE FROM compliance_act WHERE id=%s", act.id)
    assert "cannot become proposed" in _refused_by_database(
        "UPDATE compliance_act SET state='proposed', approver_id=NULL, approver_signature=NULL"
        " WHERE id=%s",
        act.id,
    )


def test_database_refuses_to_truncate_the_acts() -> None:
    assert "append-only" in _refused_by_database("TRUNCATE compliance_act CASCADE")


def test_database_refuses_an_act_born_approved(grace: Desk, henry: Desk, party: Party) -> None:
    act = act_approved(grace, henry, IDENTIFY, holder=party.holder, classes=1)
    act.id, act.proposer_signature, act.approver_signature = uuid4(), bytes(64), b"1" * 64
    with pytest.raises(IntegrityError, match="must begin as proposed"), transaction.atomic():
        act.save(force_insert=True)


def test_officer_serves_one_body_with_one_key(grace: Desk) -> None:
    with pytest.raises(Conflict):
        services.officer_create(
            username="grace", body="custody", public_key=bytes(32), actor="process:test"
        )
    with pytest.raises(Conflict):
        services.officer_create(
            username="grace2",
            body="custody",
            public_key=bytes(grace.officer.public_key),
            actor="process:test",
        )
    with pytest.raises(Invalid):
        services.officer_create(
            username="x", body="custody", public_key=b"short", actor="process:test"
        )
    assert Officer.objects.count() == 1
    assert not User.objects.filter(username="x").exists()


def test_acts_are_listed_in_one_query(grace: Desk, party: Party) -> None:
    grace.propose(IDENTIFY, holder=party.holder, classes=1)
    grace.propose("compliance.freeze", holder=party.holder)
    with CaptureQueriesContext(connection) as queries:
        listed = [a.proposer.user.username for a in selectors.acts_list(body="compliance")]
    assert (listed, len(queries)) == (["grace", "grace"], 1)

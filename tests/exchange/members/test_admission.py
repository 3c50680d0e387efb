"""Admission of identified applicants: one who cannot be admitted holds up nobody, and is seen."""

from datetime import timedelta

import pytest
from django.utils import timezone

from compliance.dead_letters import ATTEMPTS_DEAD, letters
from compliance.models import Party
from exchange.members import services
from exchange.members.dead_letters import QUEUES
from exchange.members.models import Application, Member

pytestmark = pytest.mark.django_db


def _applied(name: str) -> Application:
    """Return an application whose party compliance has identified."""
    application, _ = services.application_submit(
        legal_name=name,
        kind="person",
        jurisdiction="KR",
        email="desk@example.com",
        label=name,
        actor="process:test",
    )
    Party.objects.filter(pk=application.party_id).update(state=Party.State.IDENTIFIED)
    return application


def test_applicant_is_tried_ever_later_and_holds_up_nobody() -> None:
    broken, sound = _applied("Kim Ji-woo"), _applied("Lee Seo-jun")
    Application.objects.filter(pk=broken.pk).update(label="")
    assert services.applications_admit() == 2
    broken.refresh_from_db()
    assert Member.objects.get().label == "Lee Seo-jun"
    assert (broken.member, broken.attempts) == (None, 1)
    assert broken.error == "Invalid: a member's label has 1 to 64 characters"
    assert broken.due_at > timezone.now() + timedelta(seconds=1)
    assert services.applications_admit() == 0
    sound.refresh_from_db()
    assert (sound.attempts, sound.error) == (0, "")


def test_applicant_becomes_a_dead_letter_when_admission_keeps_failing() -> None:
    application = _applied("Kim Ji-woo")
    rows = Application.objects.filter(pk=application.pk)
    rows.update(label="")
    for _ in range(ATTEMPTS_DEAD):
        assert letters(QUEUES) == []
        rows.update(due_at=timezone.now())
        services.applications_admit()
    (letter,) = letters(QUEUES)
    assert (letter.kind, letter.id, letter.body) == (
        "venue.application",
        str(application.pk),
        "venue",
    )
    assert (letter.state, letter.attempts) == ("identified", ATTEMPTS_DEAD)
    assert letter.error == "Invalid: a member's label has 1 to 64 characters"

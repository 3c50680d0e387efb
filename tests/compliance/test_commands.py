"""What a person sees at the command line when something is refused."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from compliance.models import Act, Officer, Party
from tests.compliance.desks import Desk

pytestmark = pytest.mark.django_db


def test_officer_is_not_created_over_an_existing_key_file(keys: Path) -> None:
    keys.mkdir()
    path = keys / "o.key"
    path.write_text("precious")
    with pytest.raises(CommandError, match="File exists"):
        call_command("officer_create", username="o", body="venue", key_out=path)
    assert path.read_text() == "precious"
    assert not Officer.objects.exists()


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        ('{"holder": 1, "holder": 2}', "twice"),
        ('{"holder": 1.0, "classes": 1}', "float"),
        ("[]", "expected a JSON object"),
        ('{"holder": 1, "classes": 1}', "not_found"),
    ],
)
def test_proposal_is_refused_with_its_reason(grace: Desk, payload: str, match: str) -> None:
    with pytest.raises(CommandError, match=match):
        call_command(
            "act_propose",
            officer="grace",
            key=grace.key,
            kind="compliance.identify",
            payload=payload,
            reason="r",
        )
    assert not Act.objects.exists()


def test_approval_and_rejection_are_refused_with_their_reason(
    grace: Desk, henry: Desk, party: Party
) -> None:
    act = grace.propose("compliance.freeze", holder=party.holder)
    with pytest.raises(CommandError, match="signature_invalid"):
        call_command("act_approve", act.id, officer="henry", key=grace.key)
    with pytest.raises(CommandError, match="not_found: no officer nobody"):
        call_command("act_approve", act.id, officer="nobody", key=grace.key)
    with pytest.raises(CommandError, match="not_found: no act"):
        call_command("act_approve", uuid4(), officer="henry", key=henry.key)
    with pytest.raises(CommandError, match="holds no private key"):
        call_command("act_approve", act.id, officer="henry", key=Path(__file__))
    with pytest.raises(CommandError, match="forbidden"):
        call_command("act_reject", act.id, officer="grace", reason="r")
    call_command("act_reject", act.id, officer="henry", reason="r")
    act.refresh_from_db()
    assert act.state == "rejected"


def test_signer_init_needs_a_passphrase(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEXUS_SIGNER_PASSPHRASE", raising=False)
    with pytest.raises(CommandError, match="no passphrase"):
        call_command("signer_init", body="venue")
    monkeypatch.setenv("NEXUS_SIGNER_PASSPHRASE", "x")
    with pytest.raises(CommandError, match="one body's own"):
        call_command("signer_init")
    assert not keys.exists() or not list(keys.glob("*.json"))

"""Officers at their desks: each with a key of their own, as the commands give them one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from compliance import acts, officer_keys, policy, services
from compliance.models import Act, Officer

REASON = "as the rule book says"


@dataclass(frozen=True)
class Desk:
    """An officer and the file with their private key."""

    officer: Officer
    key: Path

    def sign(self, act_id: UUID, kind: str, payload: Mapping[str, Any]) -> bytes:
        return officer_keys.act_sign(
            self.key,
            act_id=act_id,
            body=acts.act_body(kind),
            kind=kind,
            payload=payload,
            reason=REASON,
        )

    def propose(self, kind: str, /, **payload: Any) -> Act:
        act_id, draft = uuid4(), services.act_draft(kind=kind, payload=payload)
        return services.act_propose(
            officer=self.officer,
            kind=kind,
            payload=draft,
            reason=REASON,
            signature=self.sign(act_id, kind, draft),
            act_id=act_id,
        )

    def approve(self, act: Act) -> Act:
        signature = self.sign(act.id, act.kind, act.payload)
        return services.act_approve(act_id=act.id, officer=self.officer, signature=signature)


def desk_open(username: str, body: str, *, trusted: bool = True) -> Desk:
    """Create an officer; the body's signer trusts them unless told otherwise."""
    key = Path(settings.KEYS) / f"{username}.key"
    key.parent.mkdir(parents=True, exist_ok=True)
    public_key = officer_keys.key_create(key)
    officer = services.officer_create(
        username=username, body=body, public_key=public_key, actor="process:test"
    )
    if trusted:
        policy.officer_trust(body, username, public_key)
    return Desk(officer, key)


def act_approved(first: Desk, second: Desk, kind: str, /, **payload: Any) -> Act:
    """Return an act proposed by one desk and approved by the other."""
    return second.approve(first.propose(kind, **payload))

"""Officers of a played market: two of each body, each with a key file of their own."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from compliance import officer_keys, policy, selectors
from compliance.acts import act_body
from compliance.errors import Conflict
from compliance.services import act_approve, act_draft, act_propose, officer_create
from exchange.stack.instance import BODIES

ENROLMENT = "process:demo"


@dataclass(frozen=True)
class Officers:
    """The officers whose key files lie in `folder`; enrolled when they are not yet."""

    folder: Path

    def enrol(self) -> None:
        """Give each body a proposer and an approver; again changes nothing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for body in BODIES:
            for role in ("first", "second"):
                username = f"{body}-{role}"
                public_key = officer_keys.public_key_of(self._key(username))
                with suppress(Conflict):  # enrolled before
                    officer_create(
                        username=username, body=body, public_key=public_key, actor=ENROLMENT
                    )
                policy.officer_trust(body, username, public_key)

    def decide(self, kind: str, payload: Mapping[str, Any], reason: str) -> UUID:
        """Propose an act by one officer of its body, approve it by the other; return its id."""
        act_id, body = uuid4(), act_body(kind)
        draft = act_draft(kind=kind, payload=payload)
        content: dict[str, Any] = {"kind": kind, "payload": draft, "reason": reason}

        def signature(role: str) -> bytes:
            key = self._key(f"{body}-{role}")
            return officer_keys.act_sign(key, act_id=act_id, body=body, **content)

        act_propose(
            officer=selectors.officer_get(f"{body}-first"),
            signature=signature("first"),
            act_id=act_id,
            **content,
        )
        act_approve(
            act_id=act_id,
            officer=selectors.officer_get(f"{body}-second"),
            signature=signature("second"),
        )
        return act_id

    def _key(self, username: str) -> Path:
        return self.folder / f"{username}.key"

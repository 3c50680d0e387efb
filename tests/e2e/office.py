"""Officers' desks, run by the management commands as a person would."""

import json
from pathlib import Path
from typing import Any

from exchange.stack import Stack
from tests.e2e.house import House
from tests.waiting import wait_until


class Office:
    """Officers' desks: runs the commands as a person would."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.tag = folder.name

    def run(self, *arguments: str) -> Any:
        return json.loads(self.stack.manage(*arguments).stdout)

    def officer(self, role: str, body: str) -> str:
        name = f"{role}-{body}-{self.tag}"
        key = str(self.folder / f"{name}.key")
        self.run("officer_create", "--username", name, "--body", body, "--key-out", key)
        return name

    def key(self, officer: str) -> str:
        return str(self.folder / f"{officer}.key")

    def propose(self, officer: str, kind: str, payload: dict[str, Any]) -> str:
        act = self.run(
            *("act_propose", "--officer", officer, "--key", self.key(officer), "--kind", kind),
            *("--payload", json.dumps(payload), "--reason", "seen and found in order"),
        )
        return str(act["id"])

    def approve(self, officer: str, act: str, key: str = "") -> Any:
        return self.run("act_approve", "--officer", officer, "--key", key or self.key(officer), act)

    def decide(self, first: str, second: str, kind: str, payload: dict[str, Any]) -> None:
        """Have one officer propose, another approve, and wait until it is carried out."""
        act = self.propose(first, kind, payload)
        self.approve(second, act)
        self.executed(act)

    def executed(self, act: str) -> None:
        wait_until(lambda: self._state(act) == "executed", timeout_s=60)

    def _state(self, act: str) -> str:
        ((state,),) = House(self.stack).query("SELECT state FROM compliance_act WHERE id = %s", act)
        return str(state)

    def notice(self, account: int) -> dict[str, Any]:
        """Let a new bank of this office sign that won came in, and custody receive it."""
        bank, draft, signed = (self.folder / name for name in ("bank.key", "draft", "signed"))
        self.run(
            *("evidence_key_create", "--name", self.tag, "--kind", "bank"),
            *("--key-out", str(bank)),
        )
        document = {
            "notice_id": f"notice-{self.tag}",
            "bank": self.tag,
            "account": account,
            "asset": "KRW",
            "amount_units": 1_000_000_0000,
            "booked_at": "2026-11-20T09:00:00+09:00",
        }
        draft.write_text(json.dumps(document))
        sign = ("evidence_sign", "--as", "bank", "--key", str(bank), str(draft))
        signed.write_text(self.stack.manage(*sign).stdout)
        self.run("bank_notice_receive", str(signed))
        return document

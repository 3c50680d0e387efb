"""`manage.py act_propose`: propose an act under an officer's own signature."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import officer_keys, selectors
from compliance.acts import KINDS, act_body
from compliance.canonical import json_parse
from compliance.errors import BodyRefused
from compliance.management.output import act_json
from compliance.services import act_draft, act_propose


class Command(BaseCommand):
    help = "Sign and record a proposal; another officer of the same body approves it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--officer", required=True, help="user name")
        parser.add_argument("--key", type=Path, required=True)
        parser.add_argument("--kind", choices=sorted(KINDS), required=True)
        parser.add_argument("--payload", required=True, help="JSON object")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--id", type=UUID, help="to repeat a proposal safely")

    def handle(self, *args: Any, **options: Any) -> None:
        kind, act_id = options["kind"], options["id"] or uuid4()
        try:
            payload = act_draft(kind=kind, payload=json_parse(options["payload"]))
            act = act_propose(
                officer=selectors.officer_get(options["officer"]),
                kind=kind,
                payload=payload,
                reason=options["reason"],
                signature=officer_keys.act_sign(
                    options["key"],
                    act_id=act_id,
                    body=act_body(kind),
                    kind=kind,
                    payload=payload,
                    reason=options["reason"],
                ),
                act_id=act_id,
            )
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(act_json(act))

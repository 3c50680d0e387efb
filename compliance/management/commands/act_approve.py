"""`manage.py act_approve`: approve another officer's proposal under one's own signature."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import officer_keys, selectors
from compliance.errors import BodyRefused
from compliance.management.output import act_json
from compliance.services import act_approve


class Command(BaseCommand):
    help = "Sign a proposal as its second officer; the body then carries it out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act_id", type=UUID)
        parser.add_argument("--officer", required=True, help="user name")
        parser.add_argument("--key", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            act = selectors.act_get(options["act_id"])
            signature = officer_keys.act_sign(
                options["key"],
                act_id=act.id,
                body=act.body,
                kind=act.kind,
                payload=act.payload,
                reason=act.reason,
            )
            officer = selectors.officer_get(options["officer"])
            act = act_approve(act_id=act.id, officer=officer, signature=signature)
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(act_json(act))

"""`manage.py dead_letter_requeue`: set a dead letter going again under an officer's signature."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import officer_keys, selectors
from compliance.dead_letters import requeue, requeue_message
from compliance.errors import BodyRefused
from exchange.operations.dead_letters import QUEUES


class Command(BaseCommand):
    help = "Make a dead letter due again; an officer of the body whose work it is signs for it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[queue.kind for queue in QUEUES])
        parser.add_argument("id")
        parser.add_argument("--officer", required=True, help="user name")
        parser.add_argument("--key", type=Path, required=True)
        parser.add_argument("--reason", required=True, help="what was done about its cause")

    def handle(self, *args: Any, **options: Any) -> None:
        said = {
            "kind": options["kind"],
            "identifier": options["id"],
            "reason": options["reason"],
        }
        try:
            letter = requeue(
                QUEUES,
                officer=selectors.officer_get(options["officer"]),
                signature=officer_keys.key_sign(options["key"], requeue_message(**said)),
                **said,
            )
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(f"{letter.kind} {letter.id} is due again")

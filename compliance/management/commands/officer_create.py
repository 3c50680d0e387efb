"""`manage.py officer_create`: give a person an office, a key, and the signer's trust."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from compliance import officer_keys, policy
from compliance.errors import BodyRefused
from compliance.models import Body
from compliance.services import officer_create


class Command(BaseCommand):
    help = (
        "Create an officer with a new Ed25519 key (private part in a file of mode 0600) and list "
        "the public part in the body's policy, which its signer alone trusts."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", required=True)
        parser.add_argument("--body", choices=Body.values, required=True)
        parser.add_argument("--key-out", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        username, body = options["username"], options["body"]
        try:
            with transaction.atomic():
                public_key = officer_keys.key_create(options["key_out"])
                officer_create(
                    username=username,
                    body=body,
                    public_key=public_key,
                    actor="process:officer_create",
                )
                policy.officer_trust(body, username, public_key)
        except (BodyRefused, FileExistsError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            json.dumps({"username": username, "body": body, "public_key": public_key.hex()})
        )

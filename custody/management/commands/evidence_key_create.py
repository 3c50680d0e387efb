"""`manage.py evidence_key_create`: admit a bank, vault, auditor or registrar by its key."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from compliance import officer_keys, policy
from custody.errors import BodyRefused
from custody.models import EvidenceKey
from custody.services import evidence_key_create


class Command(BaseCommand):
    help = (
        "Make the Ed25519 key of a bank, vault, auditor or registrar known to custody and list it "
        "in its signer's policy: an outside one by --public-key, or a sandbox one written to "
        "--key-out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--kind", choices=EvidenceKey.Kind.values, required=True)
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--public-key", type=bytes.fromhex, metavar="HEX")
        source.add_argument("--key-out", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        name, kind = options["name"], options["kind"]
        try:
            with transaction.atomic():
                key = options["public_key"] or officer_keys.key_create(options["key_out"])
                evidence_key_create(
                    name=name, kind=kind, public_key=key, actor="process:evidence_key_create"
                )
                policy.evidence_trust("custody", name, kind, key)
        except (BodyRefused, FileExistsError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps({"name": name, "kind": kind, "public_key": key.hex()}))

"""`manage.py signer_init`: create the bodies' key stores and announce their addresses."""

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import policy, signer
from compliance.models import Body
from compliance.services import signer_key_set


class Command(BaseCommand):
    help = (
        "Create a body's key store unless it is there, record its address. The passphrase is read "
        "from NEXUS_SIGNER_PASSPHRASE, or from <body>.pass in the keys folder."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--body", choices=Body.values, help="default: all bodies")

    def handle(self, *args: Any, **options: Any) -> None:
        bodies = [options["body"]] if options["body"] else list(Body.values)
        if len(bodies) > 1 and os.environ.get("NEXUS_SIGNER_PASSPHRASE"):
            raise CommandError("NEXUS_SIGNER_PASSPHRASE is one body's own: say which by --body")
        addresses = {}
        for body in bodies:
            addresses[body] = signer.keystore_create(body, self._passphrase(body))
            if body == Body.CUSTODY:
                policy.attestor_trust(Body.COMPLIANCE, addresses[body])
            signer_key_set(body=body, address=addresses[body])
        self.stdout.write(json.dumps(addresses))

    def _passphrase(self, body: str) -> str:
        path = Path(settings.KEYS) / f"{body}.pass"
        secret = os.environ.get("NEXUS_SIGNER_PASSPHRASE") or (
            path.read_text().strip() if path.exists() else ""
        )
        if not secret:
            raise CommandError(f"no passphrase: set NEXUS_SIGNER_PASSPHRASE or write {path}")
        return secret

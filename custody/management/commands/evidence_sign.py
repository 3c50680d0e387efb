"""`manage.py evidence_sign`: sign as a sandbox witness does at its own desk."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance import officer_keys
from custody import evidence
from custody.errors import BodyRefused
from custody.management.documents import document_read

SIGNATURES: dict[str, tuple[str, Callable[..., bytes]]] = {
    "bank": ("signature", evidence.notice_message),
    "vault": ("vault_signature", evidence.receipt_message),
    "auditor": ("auditor_signature", evidence.count_message),
    "registrar": ("signature", evidence.registrar_message),
}


class Command(BaseCommand):
    help = "Add the signature of a witness to a JSON document; print the result."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a path, or - for standard input")
        parser.add_argument("--as", dest="role", choices=sorted(SIGNATURES), required=True)
        parser.add_argument("--key", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        field, message_of = SIGNATURES[options["role"]]
        try:
            document = document_read(options["file"])
            message = message_of(settings.INSTANCE_ID, document)
            document[field] = officer_keys.key_sign(options["key"], message).hex()
        except KeyError as error:
            raise CommandError(f"the document lacks {error}") from error
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps(document))

"""`manage.py registrar_notice_receive`: take in signed evidence."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody.errors import BodyRefused
from custody.management.documents import document_read
from custody.services import registrar_notice_receive


class Command(BaseCommand):
    help = "Verify and keep a signed document; the same again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a path, or - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            kept = registrar_notice_receive(document=document_read(options["file"]))
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps({"evidence_kind": "registrar_notice", "evidence_id": kept.pk}))

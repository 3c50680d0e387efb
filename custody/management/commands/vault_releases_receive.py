"""`manage.py vault_releases_receive`: take in a vault's signed word that bars were handed over."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody.errors import BodyRefused
from custody.management.documents import document_read
from custody.services import vault_release_receive


class Command(BaseCommand):
    help = "Verify and keep signed releases; the same again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a path, or - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            released = document_read(options["file"])["releases"]
            kept = [vault_release_receive(document=document).pk for document in released]
        except (KeyError, TypeError) as error:
            raise CommandError("the document lacks a list of releases") from error
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps({"releases": kept}))

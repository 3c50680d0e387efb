"""`manage.py payment_answers_receive`: take in a bank's signed answers to payment orders."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody.errors import BodyRefused
from custody.management.documents import document_read
from custody.services import payment_answer_receive


class Command(BaseCommand):
    help = "Verify and keep each answer; the same again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a path, or - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answers = document_read(options["file"])["answers"]
            orders = [payment_answer_receive(document=answer) for answer in answers]
        except (KeyError, TypeError) as error:
            raise CommandError(f"expected {{'answers': [...]}}, found no {error}") from error
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps({str(order.pk): order.state for order in orders}))

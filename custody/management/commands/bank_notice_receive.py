"""`manage.py bank_notice_receive`: take in signed evidence."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody.errors import BodyRefused
from custody.management.documents import document_read
from custody.services import bank_notice_receive, cash_deposit_receive


class Command(BaseCommand):
    help = (
        "Verify and keep a bank's signed document; the same again changes nothing. One about a "
        "virtual account is matched to its member, one about an account needs two officers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a path, or - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = document_read(options["file"])
            if "virtual_account" in document:
                deposit = cash_deposit_receive(document=document)
                answer = {"notice_id": deposit.pk, "state": deposit.state, "reason": deposit.reason}
            else:
                kept = bank_notice_receive(document=document)
                answer = {"evidence_kind": "bank_notice", "evidence_id": kept.pk}
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps(answer))

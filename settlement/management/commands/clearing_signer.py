"""`manage.py clearing_signer`: the one process that opens the clearing house's chain key."""

from typing import Any

from django.core.management.base import BaseCommand

from compliance.process import Stop
from compliance.signer import BodySigner
from settlement.signer import BODY, signer_run


class Command(BaseCommand):
    help = "Sign batches the journal's fills add up to, and what trusted officers approved."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        signer_run(BodySigner.open(BODY), stopping=lambda: bool(stop))

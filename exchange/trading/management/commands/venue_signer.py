"""`manage.py venue_signer`: the one process that opens the venue's chain key."""

from typing import Any

from django.core.management.base import BaseCommand

from compliance.process import Stop
from compliance.signer import BodySigner
from exchange.trading.signer import BODY, signer_run


class Command(BaseCommand):
    help = "Sign batches that the journal's fills add up to, and substitutions for their debtors."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Stop()
        signer_run(BodySigner.open(BODY), stopping=lambda: bool(stop))

"""`manage.py compliance_signer`: the one process that opens compliance's chain key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance.process import run_until_stopped
from compliance.signer import BodySigner, registry_intents_sign


class Command(BaseCommand):
    help = "Sign registry intents that acts of trusted officers stand behind, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="sign what waits, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        signer = BodySigner.open("compliance")
        run_until_stopped(
            lambda: registry_intents_sign(signer),
            channel="compliance_intents",
            once=options["once"],
        )

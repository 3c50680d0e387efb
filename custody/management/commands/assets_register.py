"""`manage.py assets_register`: register the catalogue's assets; safe to repeat."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from custody.catalogue import ASSETS
from custody.errors import BodyRefused
from custody.services import assets_register


class Command(BaseCommand):
    help = "Register the assets of the catalogue; print them as JSON."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            assets_register()
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(json.dumps([asdict(terms) for terms in ASSETS]))

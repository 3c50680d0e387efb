"""Revoke an API key at once and for good; prints JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.errors import BodyRefused
from exchange.members.services import api_key_revoke


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("access_key")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = api_key_revoke(access_key=options["access_key"], actor="process:manage")
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        assert key.revoked_at is not None
        self.stdout.write(
            json.dumps({"access_key": key.access_key, "revoked_at": key.revoked_at.isoformat()})
        )

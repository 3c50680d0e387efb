"""Make an API key for the member of an account; prints JSON with the secret, this once."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from compliance.errors import BodyRefused
from exchange.members.scopes import Scope
from exchange.members.services import api_key_create


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", type=int, required=True)
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            help="repeat; read and trade if absent",
        )
        parser.add_argument("--label", default="")
        parser.add_argument("--expires-days", type=int)
        parser.add_argument(
            "--network", action="append", default=[], help="repeat; from anywhere if absent"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires_days"]
        try:
            key, secret = api_key_create(
                account=options["account"],
                scopes=options["scope"] or [Scope.READ, Scope.TRADE],
                actor="process:manage",
                label=options["label"],
                networks=options["network"],
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
            )
        except BodyRefused as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(
            json.dumps(
                {
                    "access_key": key.access_key,
                    "secret": secret,
                    "account": options["account"],
                    "scopes": key.scopes,
                    "networks": key.networks,
                    "expires_at": key.expires_at.isoformat() if key.expires_at else None,
                }
            )
        )

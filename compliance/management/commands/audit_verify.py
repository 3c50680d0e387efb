"""`manage.py audit_verify`: recompute the audit log's hash chain."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance import selectors


class Command(BaseCommand):
    help = (
        "Verify every audit record; print id and hash of the last one as JSON. With --expect an "
        "earlier printed `id:hash` must still be in the log, so that a cut-off end is seen."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--expect", metavar="ID:HASH")

    def handle(self, *args: Any, **options: Any) -> None:
        for record_id, wrong in selectors.audit_broken():
            raise CommandError(f"audit record {record_id}: {wrong}")
        if options["expect"]:
            record_id, _, digest = options["expect"].partition(":")
            if selectors.audit_hash_at(int(record_id)) != digest:
                raise CommandError(f"audit record {record_id} is gone or has another hash")
        last_id, digest = selectors.audit_head()
        self.stdout.write(json.dumps({"records": last_id, "hash": digest}))

"""Reads the JSON documents that evidence comes in."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from compliance.canonical import TEXT_LENGTH_MAX, json_parse


def document_read(name: str) -> dict[str, Any]:
    """Return the JSON object in a file, or on standard input for `-`.

    Raises `CommandError` for an unreadable file, `Invalid` for anything but such an object.
    """
    try:
        with sys.stdin if name == "-" else Path(name).open(encoding="utf-8") as file:
            return json_parse(file.read(TEXT_LENGTH_MAX + 1))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {name}: {error}") from error

"""The languages in which refusals speak, and what each code says in them.

A code without a Korean title and sentence is a fault that a test finds. What must not live here:
when to refuse.
"""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Literal

from django.utils.translation.trans_real import parse_accept_lang_header
from msgspec import Struct, convert

Language = Literal["en", "ko"]
ENGLISH: Language = "en"
_CATALOGUE = Path(__file__).with_name("messages.toml")


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """A title, and a sentence for the detail that stands before the particulars."""

    title: str
    detail: str = ""


KOREAN = convert(tomllib.loads(_CATALOGUE.read_text()), dict[str, Message])


def message(code: str, language: Language) -> Message:
    """Return what a code says; in English the code itself, since its details are English."""
    if language == "ko" and code in KOREAN:
        return KOREAN[code]
    return Message(code.replace("_", " ").capitalize())


@lru_cache(maxsize=256)
def language_of(accepted: str) -> Language:
    """Return the language that an Accept-Language header likes best (RFC 9110, 12.5.4)."""
    for tag, weight in parse_accept_lang_header(accepted):
        match tag.partition("-")[0]:
            case "ko" if weight:
                return "ko"
            case "en" | "*" if weight:
                return "en"
    return ENGLISH

"""The one spelling of a JSON value that is hashed and signed."""

import json
import re
from itertools import accumulate
from typing import Any

from compliance.errors import Invalid

JSON = dict[str, "JSON"] | list["JSON"] | str | int | bool | None
DEPTH_MAX = 16
TEXT_LENGTH_MAX = 1 << 20
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


def canonical_json(value: JSON) -> bytes:
    """Return UTF-8 JSON with sorted keys and no spaces; raise `Invalid` for floats and other types.

    Numbers are integers only, so every language and PostgreSQL's jsonb spell them alike.
    """
    _check(value, 0)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def json_parse(text: str) -> dict[str, Any]:
    """Return the JSON object in the text, ready to be signed.

    Raises `Invalid` for another value, a key written twice, floats, and text of over a million
    characters.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise Invalid(f"JSON of {len(text)} characters, limit {TEXT_LENGTH_MAX}")
    if _depth(text) > DEPTH_MAX + 1:
        raise Invalid(f"JSON deeper than {DEPTH_MAX} levels")
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except ValueError as error:
        raise Invalid(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Invalid(f"expected a JSON object, found {type(value).__name__}")
    canonical_json(value)
    return value


def _depth(text: str) -> int:
    """Return how deep brackets are nested outside of strings.

    Measured before parsing: a library of the chain raises Python's recursion limit so far that deep
    JSON would overflow the C stack and kill the process, with no RecursionError to catch.
    """
    steps = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(_STRING.sub("", text)))
    return max(accumulate(steps), default=0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Invalid("a key stands twice in a JSON object")
    return value


def _check(value: object, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise Invalid(f"JSON deeper than {DEPTH_MAX} levels")
    if value is None or isinstance(value, bool | int):
        return
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Invalid("text may not hold NUL or lone surrogates")
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Invalid(f"JSON keys are strings, found {key!r}")
            _check(key, depth + 1)
            _check(item, depth + 1)
    else:
        raise Invalid(f"{type(value).__name__} cannot be signed: write integers and strings")

"""The one spelling of a JSON value that is hashed and signed."""

import json

from compliance.errors import Invalid

JSON = dict[str, "JSON"] | list["JSON"] | str | int | bool | None
DEPTH_MAX = 16


def canonical_json(value: JSON) -> bytes:
    """Return UTF-8 JSON with sorted keys and no spaces; raise `Invalid` for floats and other types.

    Numbers are integers only, so every language and PostgreSQL's jsonb spell them alike.
    """
    _check(value, 0)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


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

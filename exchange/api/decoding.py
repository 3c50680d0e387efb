"""Read what a client sent: bounded bodies, strict JSON, strict query parameters.

Shapes are msgspec structs with `forbid_unknown_fields`. What must not live here: their meaning.
"""

import json
import re
from functools import cache
from typing import Any, NoReturn, TypeVar

import msgspec
import msgspec.inspect
from django.http import HttpRequest, UnreadablePostError
from rest_framework.request import Request

from exchange.api.errors import DoorCode, Problem

BODY_BYTES_MAX = 1 << 16
PARAMETER_CHARACTERS_MAX = 256
_JSON_TYPE = re.compile(
    r"application/json(?:\s*;\s*charset=\"?utf-8\"?)?", re.ASCII | re.IGNORECASE
)
_number = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)

Shape = TypeVar("Shape", bound=msgspec.Struct)


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all shapes that a client sends."""


class NoQuery(Strict, frozen=True):
    """No parameters."""


def body_read(request: HttpRequest) -> bytes:
    """Return the raw body. Raises `Problem` when it has no stated length or is above 64 KiB."""
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise Problem(DoorCode.LENGTH_REQUIRED, "send Content-Length instead of chunks")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise Problem(DoorCode.BAD_REQUEST, "Content-Length must be a decimal number")
    if int(length) > BODY_BYTES_MAX:
        raise Problem(
            DoorCode.BODY_TOO_LARGE, f"the body has {length} bytes, limit {BODY_BYTES_MAX}"
        )
    try:
        return request.body
    except UnreadablePostError as error:
        raise Problem(DoorCode.BAD_REQUEST, "the body ended early") from error


def body_decode(request: Request, shape: type[Shape]) -> Shape:
    """Decode a JSON body into `shape`.

    Raises `Problem`: media type, not JSON (NaN and the like included), nested too deep, a key
    twice, or a field that is missing, unknown, or of the wrong type.
    """
    if not _JSON_TYPE.fullmatch(request.META.get("CONTENT_TYPE", "")):
        raise Problem(DoorCode.MEDIA_TYPE_UNSUPPORTED, "send Content-Type: application/json")
    try:
        text = body_read(request._request).decode("utf-8")
        value = _json_decode(text)
    except RecursionError as error:
        raise Problem(DoorCode.JSON_TOO_DEEP, "the body is nested too deep") from error
    except ValueError as error:
        raise Problem(DoorCode.JSON_INVALID, f"the body is not JSON: {error}") from error
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise Problem(DoorCode.FIELD_INVALID, str(error)) from error


def query_decode(request: Request, shape: type[Shape]) -> Shape:
    """Decode the query into `shape`. Raises `Problem` also for one unknown or given twice."""
    values: dict[str, str | int] = {}
    for name, given in request.query_params.lists() if request.META["QUERY_STRING"] else ():
        text = given[0]
        if len(given) != 1 or len(text) > PARAMETER_CHARACTERS_MAX or not text.isprintable():
            raise Problem(DoorCode.PARAMETER_INVALID, f"give {name!a} once, short and printable")
        values[name] = int(text) if name in _whole(shape) and _number.fullmatch(text) else text
    try:
        return msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        raise Problem(DoorCode.PARAMETER_INVALID, str(error)) from error


@cache
def _whole(shape: type[msgspec.Struct]) -> frozenset[str]:
    """Return the names of the fields that are whole numbers."""
    info = msgspec.inspect.type_info(shape)
    assert isinstance(info, msgspec.inspect.StructType)
    return frozenset(
        field.encode_name
        for field in info.fields
        if isinstance(field.type, msgspec.inspect.IntType)
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Problem(DoorCode.JSON_DUPLICATE_KEY, "an object of the body has the same key twice")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_json_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant).decode

"""The OpenAPI document: drf-spectacular's routes and our msgspec shapes, from one definition each.

What must not live here: shapes themselves.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from exchange.api.idempotency import KEY_PATTERN
from exchange.api.problems import MEDIA_TYPE, ProblemDocument

_REF_TEMPLATE = "#/components/schemas/{name}"
_shapes: dict[str, type[msgspec.Struct]] = {ProblemDocument.__name__: ProblemDocument}

# What creates takes this header (exchange.api.idempotency).
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": KEY_PATTERN},
    OpenApiParameter.HEADER,
    description="Sent again with the same request, the answer is the first one.",
)
View = TypeVar("View", bound=Callable[..., Any])


def documented(
    name: str,
    summary: str,
    *,
    answer: type[msgspec.Struct],
    query: type[msgspec.Struct] | None = None,
    body: type[msgspec.Struct] | None = None,
    status: int = 200,
    also: tuple[int, ...] = (),
    media_types: tuple[str, ...] = ("application/json",),
) -> Callable[[View], View]:
    """Describe a view's method under a name of its own; every failure is a problem document."""
    problem = OpenApiResponse(_reference(ProblemDocument), "Refused or failed: see `code`")
    responses: dict[Any, Any] = {
        (code, media_type): OpenApiResponse(
            _reference(answer) if media_type == "application/json" else OpenApiTypes.STR, "Done"
        )
        for code in (status, *also)
        for media_type in media_types
    }
    responses |= {(code, MEDIA_TYPE): problem for code in ("4XX", "5XX")}
    return extend_schema(
        operation_id=name,
        summary=summary,
        description=answer.__doc__ or summary,
        parameters=[*_parameters(query), *([_IDEMPOTENCY_KEY] if status == 201 else [])],
        request={"application/json": _reference(body)} if body else None,
        responses=responses,
    )


def components_append(result: dict[str, Any], **given: object) -> dict[str, Any]:
    """Put the shapes' schemas into the document (drf-spectacular's POSTPROCESSING_HOOKS)."""
    _, schemas = msgspec.json.schema_components(_shapes.values(), ref_template=_REF_TEMPLATE)
    result.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    return result


def _reference(shape: type[msgspec.Struct]) -> dict[str, str]:
    known = _shapes.setdefault(shape.__name__, shape)
    assert known is shape, f"two shapes are called {shape.__name__}"
    return {"$ref": _REF_TEMPLATE.format(name=shape.__name__)}


def _parameters(shape: type[msgspec.Struct] | None) -> list[OpenApiParameter]:
    if shape is None:
        return []
    schema = msgspec.json.schema(shape)["$defs"][shape.__name__]
    return [
        OpenApiParameter(name, type=field, required=name in schema.get("required", ()))
        for name, field in schema["properties"].items()
    ]

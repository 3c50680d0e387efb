"""The one representation of every answer: JSON, straight from msgspec structs."""

from typing import Any

import msgspec
from rest_framework import negotiation, renderers
from rest_framework.request import Request

_encode = msgspec.json.Encoder().encode


class MsgspecRenderer(renderers.BaseRenderer):
    """JSON, straight from msgspec structs."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else _encode(data)


class OneRepresentation(negotiation.BaseContentNegotiation):
    """Answer in the view's first representation whatever `Accept` says."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type

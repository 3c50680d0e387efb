"""The base of all REST views: one representation, strict methods, scopes.

What must not live here: any resource, or who a member is (exchange.members).
"""

from typing import Any, ClassVar

import msgspec
from rest_framework import negotiation, renderers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.views import APIView

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


class DoorView(APIView):
    """A resource; `scopes` names, per method, what a key must be allowed (HEAD counts as GET).

    A view without `scopes` is public and names no authentication.
    """

    http_method_names = ("get", "head", "post", "patch", "delete")
    scopes: ClassVar[dict[str, str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse an unknown method before asking who is there."""
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)


class PublicView(DoorView):
    """A resource that anybody may read."""

    authentication_classes = ()
    permission_classes = ()

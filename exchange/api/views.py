"""The base of all REST views: strict methods, and the scopes that they need.

What must not live here: any resource, or who a member is (exchange.members).
"""

from typing import Any, ClassVar

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.views import APIView


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

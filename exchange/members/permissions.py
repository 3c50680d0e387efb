"""What a key may do: each view names the scope that each method needs."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from exchange.api.errors import DoorCode, Problem
from exchange.api.views import DoorView
from exchange.members.authentication import Principal


class HasScope(BasePermission):
    """Let a key pass that holds the view's scope for the method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True. Raises `Problem` authentication_missing or scope_missing."""
        assert isinstance(view, DoorView)
        if not isinstance(request.user, Principal):
            raise Problem(DoorCode.AUTHENTICATION_MISSING, "send Authorization: Bearer <token>")
        method = "GET" if request.method == "HEAD" else str(request.method)
        needed = view.scopes[method]
        if needed not in request.user.scopes:
            raise Problem(DoorCode.SCOPE_MISSING, f"this key lacks the scope {needed}")
        return True

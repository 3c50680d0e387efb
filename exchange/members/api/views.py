"""The base of all resources that belong to a member."""

from exchange.api.views import DoorView
from exchange.members.authentication import Principal, SignedRequest
from exchange.members.permissions import HasScope


class MemberView(DoorView):
    """A resource behind a signed request; `scopes` names what each method needs."""

    authentication_classes = (SignedRequest,)
    permission_classes = (HasScope,)

    @property
    def account(self) -> int:
        """The account of the member who sent the request."""
        assert isinstance(self.request.user, Principal)
        return self.request.user.account

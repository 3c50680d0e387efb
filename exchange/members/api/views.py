"""The base of all resources that belong to a member."""

from rest_framework.request import Request

from exchange.api.budgets import Budget
from exchange.api.errors import DoorCode, Problem
from exchange.api.views import DoorView
from exchange.members.authentication import Principal, SignedRequest, request_authenticate


class MemberView(DoorView):
    """A resource behind a signed request; `scopes` names what each method needs.

    `principal` is the member who sent the request, with what the key in use may do.
    """

    principal: Principal
    authentication_classes = (SignedRequest,)
    permission_classes = ()
    budgets = {
        "GET": Budget.READ,
        "POST": Budget.WRITE,
        "PATCH": Budget.WRITE,
        "DELETE": Budget.WRITE,
    }

    async def admit(self, request: Request) -> str:
        """Verify who sends the request and that the key has the scope. Raises `Problem`."""
        budget = self.budgets[self.method]
        self.principal, self.standing = await request_authenticate(request, budget)
        needed = self.scopes[self.method]
        if needed not in self.principal.scopes:
            raise Problem(DoorCode.SCOPE_MISSING, f"this key lacks the scope {needed}")
        return f"member:{self.principal.member_id}"

    @property
    def account(self) -> int:
        """The account of the member who sent the request."""
        return self.principal.account

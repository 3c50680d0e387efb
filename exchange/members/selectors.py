"""Questions about members; they change nothing."""

from compliance.errors import NotFound
from exchange.members.models import Member


def member_get(*, account: int) -> Member:
    """Return the member who trades from an account. Raises `NotFound`."""
    member = Member.objects.filter(account_id=account).first()
    if member is None:
        raise NotFound(f"no member trades from account {account}")
    return member


def member_by_label(label: str) -> Member | None:
    """Return the first member admitted under a label."""
    return Member.objects.filter(label=label).order_by("id").first()

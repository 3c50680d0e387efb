"""Questions about members, their keys and applications; they change nothing."""

import hashlib
import hmac
from uuid import UUID

from django.db.models import QuerySet

from compliance.errors import NotFound
from exchange.members.models import ApiKey, Application, Member


def member_get(*, account: int) -> Member:
    """Return the member who trades from an account. Raises `NotFound`."""
    member = Member.objects.filter(account_id=account).first()
    if member is None:
        raise NotFound(f"no member trades from account {account}")
    return member


def member_by_label(label: str) -> Member | None:
    """Return the first member admitted under a label."""
    return Member.objects.filter(label=label).order_by("id").first()


def api_keys(*, account: int) -> list[ApiKey]:
    """Return the keys of a member that are not revoked, newest first."""
    rows = ApiKey.objects.filter(member__account_id=account, revoked_at=None)
    return list(rows.order_by("-id"))


def api_key_get(*, account: int, access_key: str) -> ApiKey:
    """Return a member's own key. Raises `NotFound`, also for another's."""
    found = ApiKey.objects.filter(member__account_id=account, access_key=access_key).first()
    if found is None:
        raise NotFound(f"you have no API key {access_key}")
    return found


def application_get(*, application_id: UUID, secret: str) -> Application:
    """Return the application that the secret opens. Raises `NotFound`, also for a wrong secret."""
    rows = Application.objects.select_related("party", "member__account")
    found = rows.filter(pk=application_id).first()
    if found is None or not hmac.compare_digest(bytes(found.secret_hash), secret_hash(secret)):
        raise NotFound("no application is known under this id and secret")
    return found


def applications_admissible() -> QuerySet[Application]:
    """Return applications whose party is identified and not yet a member."""
    return Application.objects.filter(member=None, party__state="identified")


def secret_hash(secret: str) -> bytes:
    """Return what is kept of an applicant's secret: of 256 random bits one hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

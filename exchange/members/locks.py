"""Row locks of members, their keys and their applications; taken nowhere else."""

from uuid import UUID

from exchange.members.models import ApiKey, Application, Member


def application_lock(application_id: UUID) -> Application | None:
    """Lock and return the application, or None. Inside a transaction."""
    rows = Application.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("party", "member").filter(pk=application_id).first()


def member_lock(account: int) -> Member | None:
    """Lock and return the member of an account, or None. Inside a transaction."""
    return Member.objects.select_for_update(no_key=True).filter(account_id=account).first()


def api_key_lock(access_key: str) -> ApiKey | None:
    """Lock and return the API key, or None. Inside a transaction."""
    return ApiKey.objects.select_for_update(no_key=True).filter(access_key=access_key).first()

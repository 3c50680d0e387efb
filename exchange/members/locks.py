"""Row locks of members' keys; taken nowhere else."""

from exchange.members.models import ApiKey


def api_key_lock(access_key: str) -> ApiKey | None:
    """Lock and return the API key, or None. Inside a transaction."""
    return ApiKey.objects.select_for_update(no_key=True).filter(access_key=access_key).first()

"""Officers: one user, one body, one key."""

from django.db import IntegrityError, transaction

from compliance.errors import Conflict, Invalid, NotFound
from compliance.models import Body, Officer, User
from compliance.services.audit import audit_append


@transaction.atomic
def officer_create(*, username: str, body: str, public_key: bytes, actor: str) -> Officer:
    """Give a user (made when absent, without a password) an office and an Ed25519 key of 32 bytes.

    Raises `Invalid`, `Conflict` when the user or the key serves already.
    """
    if body not in Body.values:
        raise Invalid(f"body must be one of {Body.values}, found {body!r}")
    if len(public_key) != 32:
        raise Invalid(f"public key must have 32 bytes, found {len(public_key)}")
    user, created = User.objects.get_or_create(username=username)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    try:
        with transaction.atomic():
            officer = Officer.objects.create(user=user, body=body, public_key=public_key)
    except IntegrityError as error:
        raise Conflict(f"{username} or this key already serves a body") from error
    _audit(officer, actor, "officer.created")
    return officer


@transaction.atomic
def officer_deactivate(*, username: str, actor: str) -> Officer:
    """End an office; the key stays on record and approves nothing more. Raises `NotFound`."""
    officer = Officer.objects.filter(user__username=username).first()
    if officer is None:
        raise NotFound(f"no officer {username}")
    if officer.active:
        officer.active = False
        officer.save(update_fields=["active"])
        _audit(officer, actor, "officer.deactivated")
    return officer


def _audit(officer: Officer, actor: str, action: str) -> None:
    audit_append(
        body=officer.body,
        actor=actor,
        action=action,
        subject=f"officer:{officer.user.username}",
        detail={"public_key": bytes(officer.public_key).hex()},
    )

"""Admitting members and making their API keys."""

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.errors import Conflict, Invalid, NotFound
from custody import services as custody
from exchange.members import selectors
from exchange.members.errors import PartyNotIdentified
from exchange.members.locks import api_key_lock
from exchange.members.models import ApiKey, Member
from exchange.members.scopes import Scope
from exchange.members.secrets import access_key_make, secret_make, secret_seal

BODY = "venue"


@transaction.atomic
def member_admit(*, holder: int, label: str, actor: str) -> Member:
    """Admit the party under a holder number and open its account; again returns the member.

    Raises `NotFound`, `PartyNotIdentified`, `Invalid` (label), `Conflict` (admitted under another
    label).
    """
    if not 1 <= len(label) <= 64:
        raise Invalid("a member's label has 1 to 64 characters")
    party = compliance_selectors.party_get(holder=holder)
    member = Member.objects.filter(party_id=party.pk).first()
    if member is not None:
        if member.label != label:
            raise Conflict(f"holder {holder} is a member under the label {member.label}")
        return member
    if party.state != party.State.IDENTIFIED:
        raise PartyNotIdentified(f"party {holder} is {party.state}, expected identified")
    account = custody.account_open(holder=holder)
    try:
        with transaction.atomic():
            member = Member.objects.create(party_id=party.pk, account_id=account.id, label=label)
    except IntegrityError as error:
        raise Conflict(f"holder {holder} was admitted this moment") from error
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action="member.admitted",
        subject=f"member:{member.pk}",
        detail={"holder": holder, "account": account.id, "label": label},
    )
    return member


@transaction.atomic
def api_key_create(
    *,
    account: int,
    scopes: Collection[str],
    actor: str,
    label: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for the member of an account; the secret is returned now and never again.

    Raises `NotFound`, `Invalid` (no or unknown scopes, already expired).
    """
    member = selectors.member_get(account=account)
    if not scopes or not set(scopes) <= set(Scope.values):
        raise Invalid(f"scopes must be some of {', '.join(Scope.values)}")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("a key's expiry lies in the future")
    access_key, secret = access_key_make(), secret_make()
    key = ApiKey.objects.create(
        member=member,
        access_key=access_key,
        secret_sealed=secret_seal(access_key, secret),
        scopes=sorted(set(scopes)),
        label=label,
        expires_at=expires_at,
    )
    _key_audit(key, actor, "api_key.created")
    return key, secret


@transaction.atomic
def api_key_revoke(*, access_key: str, actor: str) -> ApiKey:
    """Revoke a key for good, from this moment; again changes nothing. Raises `NotFound`."""
    key = api_key_lock(access_key)
    if key is None:
        raise NotFound(f"no API key {access_key}")
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        _key_audit(key, actor, "api_key.revoked")
    return key


def _key_audit(key: ApiKey, actor: str, action: str) -> None:
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action=action,
        subject=f"api_key:{key.access_key}",
        detail={"member": key.member_id, "scopes": " ".join(key.scopes)},
    )

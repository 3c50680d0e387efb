"""Applications, the admission of members, and their API keys."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.errors import Conflict, Invalid, NotFound
from custody import services as custody
from exchange.api.addresses import network_normal
from exchange.members import selectors
from exchange.members.errors import KeyAlreadyCollected, NotAdmittedYet, PartyNotIdentified
from exchange.members.locks import api_key_lock, application_lock, member_lock
from exchange.members.models import ApiKey, Application, Member
from exchange.members.scopes import Scope
from exchange.members.secrets import access_key_make, secret_make, secret_seal

BODY = "venue"
API_KEYS_MAX = 50
NETWORKS_MAX = 20
EXPIRY_MAX = timedelta(days=36_525)
ADMIT_LIMIT = 100
ADMIT_TASK = "venue.applications_admit"


@transaction.atomic
def application_submit(
    *, legal_name: str, kind: str, jurisdiction: str, email: str, label: str, actor: str
) -> tuple[Application, str]:
    """Note an applicant and have compliance identify the party; return a secret, this once.

    Raises `Invalid`.
    """
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid("email must be an e-mail address") from error
    if len(label) > 64 or not (legal_name + label).isprintable():
        raise Invalid("names are printable, and a label has at most 64 characters")
    party = compliance.party_apply(
        legal_name=legal_name, kind=kind, jurisdiction=jurisdiction, actor=actor
    )
    secret = secret_make()
    application = Application.objects.create(
        party_id=party.pk,
        email=email,
        label=label or party.legal_name[:64],
        secret_hash=selectors.secret_hash(secret),
    )
    _application_audit(application, actor, "application.received")
    return application, secret


def applications_admit() -> int:
    """Admit everyone whom compliance has identified and whose turn it is; return how many tried."""
    waiting = selectors.applications_admissible()
    return compliance.carry_on(
        waiting, _application_admit, "application_id", ADMIT_LIMIT, error="error"
    )


@transaction.atomic
def _application_admit(*, application_id: UUID) -> None:
    application = application_lock(application_id)
    assert application is not None, f"application {application_id} is gone"
    if application.member is not None:
        return
    application.member = member_admit(
        holder=application.party.holder, label=application.label, actor="process:venue"
    )
    application.save(update_fields=["member"])


@transaction.atomic
def first_key_collect(
    *,
    application_id: UUID,
    secret: str,
    scopes: Collection[str] = Scope.values,
    label: str = "",
    networks: Collection[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a new member's first API key; its secret is returned now and never again.

    Raises `NotFound` (id or secret), `NotAdmittedYet`, `KeyAlreadyCollected`, `Invalid`.
    """
    selectors.application_get(application_id=application_id, secret=secret)
    application = application_lock(application_id)
    assert application is not None, f"application {application_id} is gone"
    if application.member is None:
        raise NotAdmittedYet("the account is not open yet; ask for the application's state")
    if application.first_key_id is not None:
        raise KeyAlreadyCollected("make further keys with the first one")
    actor = f"application:{application_id}"
    key, key_secret = api_key_create(
        account=application.member.account_id,
        scopes=scopes,
        actor=actor,
        label=label,
        networks=networks,
        expires_at=expires_at,
    )
    application.first_key = key
    application.save(update_fields=["first_key"])
    _application_audit(application, actor, "application.key_collected")
    return key, key_secret


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
    networks: Collection[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key for the member of an account; the secret is returned now and never again.

    `networks` are addresses or CIDR ranges from which it may be used. Raises `NotFound`, `Invalid`
    (no or unknown scopes, no networks, already expired), `Conflict` (too many keys).
    """
    member = member_lock(account)
    if member is None:
        raise NotFound(f"no member trades from account {account}")
    if len(selectors.api_keys(account=account)) >= API_KEYS_MAX:
        raise Conflict(f"a member has at most {API_KEYS_MAX} keys: revoke one")
    if not scopes or not set(scopes) <= set(Scope.values):
        raise Invalid(f"scopes must be some of {', '.join(Scope.values)}")
    now = timezone.now()
    if expires_at is not None and not now < expires_at < now + EXPIRY_MAX:
        raise Invalid("a key's expiry lies in the future, within a hundred years")
    if len(label) > 64 or not label.isprintable():
        raise Invalid("a label is printable and has at most 64 characters")
    access_key, secret = access_key_make(), secret_make()
    key = ApiKey.objects.create(
        member=member,
        access_key=access_key,
        secret_sealed=secret_seal(access_key, secret),
        scopes=sorted(set(scopes)),
        label=label,
        networks=_networks(networks),
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


def _networks(texts: Collection[str]) -> list[str]:
    if len(texts) > NETWORKS_MAX:
        raise Invalid(f"a key is bound to at most {NETWORKS_MAX} networks")
    try:
        return sorted({network_normal(text) for text in texts})
    except ValueError as error:
        raise Invalid(f"networks must be addresses or CIDR ranges: {error}") from error


def _application_audit(application: Application, actor: str, action: str) -> None:
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action=action,
        subject=f"application:{application.pk}",
        detail={"holder": application.party.holder},
    )


def _key_audit(key: ApiKey, actor: str, action: str) -> None:
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action=action,
        subject=f"api_key:{key.access_key}",
        detail={"member": key.member_id, "scopes": " ".join(key.scopes)},
    )

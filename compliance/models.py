"""Tables of identification, officers, acts, the audit log and compliance's wishes on chain."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from compliance.intents import ChainIntent


class User(AbstractUser):
    """A person who signs in; what they may do hangs on an `Officer` or a member, not on this."""


class Body(models.TextChoices):
    VENUE = "venue"
    CLEARING = "clearing"
    CUSTODY = "custody"
    COMPLIANCE = "compliance"


class Officer(models.Model):
    """A user's office in the one body they serve; `public_key` is 32 bytes of Ed25519."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="officer")
    body = models.CharField(max_length=16, choices=Body.choices)
    public_key = models.BinaryField(max_length=32, unique=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(body__in=Body.values), name="officer_body_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user.username} ({self.body})"


class Party(models.Model):
    """A person or organisation under an opaque holder number, the only thing the engine knows.

    `version` rises with every act on it; `engine_sequence` is where the engine took that version
    (null while it has not), `frozen_sequence` where a freeze in force began.
    """

    class Kind(models.TextChoices):
        PERSON = "person"
        ORGANISATION = "organisation"

    class State(models.TextChoices):
        APPLIED = "applied"
        IDENTIFIED = "identified"
        RESTRICTED = "restricted"
        CLOSED = "closed"

    holder = models.BigIntegerField(unique=True)
    legal_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    jurisdiction = models.CharField(max_length=2)
    state = models.CharField(max_length=16, choices=State.choices, default=State.APPLIED)
    classes = models.PositiveIntegerField(default=0)
    frozen = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=0)
    engine_sequence = models.BigIntegerField(null=True)
    frozen_sequence = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(holder__gt=0), name="party_holder_positive"),
            models.CheckConstraint(
                condition=Q(state="identified") | Q(classes=0), name="party_classes_identified"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(engine_sequence__isnull=True, version__gt=0),
                name="party_unapplied",
            )
        ]


class HolderAddress(models.Model):
    """An account's address on chain, as custody told it.

    `attestation` is custody's signature over (holder, account, address), so that compliance's
    signer need not believe the row. `intent_version` is the last version sent to the registry.
    """

    holder = models.BigIntegerField(db_index=True)
    account = models.BigIntegerField(unique=True)
    address = models.CharField(max_length=42, unique=True)
    attestation = models.BinaryField(max_length=65)
    intent_version = models.PositiveIntegerField(default=0)


class Act(models.Model):
    """A proposal of one officer, void until another of the same body has signed the same bytes.

    Both signatures are Ed25519 over `acts.act_message`. The database itself holds what a trigger
    can: bodies, states, unchangeable content, one use of a signature.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed"
        APPROVED = "approved"
        REJECTED = "rejected"
        EXECUTED = "executed"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    body = models.CharField(max_length=16, choices=Body.choices)
    kind = models.CharField(max_length=48)
    payload = models.JSONField()
    payload_hash = models.BinaryField(max_length=32)
    reason = models.CharField(max_length=500)
    proposer = models.ForeignKey(Officer, on_delete=models.PROTECT, related_name="proposed_acts")
    proposer_signature = models.BinaryField(max_length=64, unique=True)
    approver = models.ForeignKey(
        Officer, on_delete=models.PROTECT, related_name="decided_acts", null=True
    )
    approver_signature = models.BinaryField(max_length=64, unique=True, null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PROPOSED)
    result = models.JSONField(null=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True)
    executed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approver__isnull=True) | ~Q(approver=F("proposer")),
                name="act_two_officers",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "rejected"])
                | Q(approver__isnull=False, approver_signature__isnull=False),
                name="act_approval_signed",
            ),
            models.CheckConstraint(
                condition=Q(state="proposed", approver__isnull=True)
                | ~Q(state="proposed") & Q(approver__isnull=False),
                name="act_decided_by_someone",
            ),
        ]
        indexes = [models.Index(fields=["body", "state", "due_at"])]


class AuditRecord(models.Model):
    """What somebody did; each row carries the hash of the one before. Append-only by trigger."""

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    body = models.CharField(max_length=16, choices=Body.choices)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=200)
    detail = models.JSONField()
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32, unique=True)

    class Meta:
        indexes = [models.Index(fields=["subject"])]


class RegistryIntent(ChainIntent):
    """A wish to write one version of one address's status into the identity registry."""

    address = models.ForeignKey(HolderAddress, on_delete=models.PROTECT, related_name="intents")
    version = models.PositiveIntegerField()

    class Meta(ChainIntent.Meta):
        constraints = [
            *ChainIntent.Meta.constraints,
            models.UniqueConstraint(fields=["address", "version"], name="registry_intent_once"),
        ]


class ChainAddresses(models.Model):
    """Where a body's `Authority` and its targets stand; written once by the deployment.

    `targets` maps a name (`identity_registry`, `account_registry`, `token:<asset id>`) to an
    address; `salt` is the 32-byte instance salt of the EIP-712 domain; `clearing_id` is the
    exchange's own in the account registry.
    """

    body = models.CharField(max_length=16, choices=Body.choices, primary_key=True)
    authority = models.CharField(max_length=42)
    targets = models.JSONField()
    chain_id = models.BigIntegerField()
    salt = models.BinaryField(max_length=32)
    clearing_id = models.BigIntegerField()


class SignerKey(models.Model):
    """The chain address that a body's signer announced; the deployment reads it, no signer does."""

    body = models.CharField(max_length=16, choices=Body.choices, primary_key=True)
    address = models.CharField(max_length=42, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

"""Tables of members and their API keys."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from exchange.members.scopes import Scope


class MemberState(models.TextChoices):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Member(models.Model):
    """An identified party admitted to trade, with the one account that it trades from."""

    party = models.OneToOneField("compliance.Party", models.PROTECT, related_name="+")
    account = models.OneToOneField("custody.Account", models.PROTECT, related_name="+")
    label = models.CharField(max_length=64)
    state = models.CharField(max_length=9, choices=MemberState.choices, default=MemberState.ACTIVE)
    admitted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="members_member_state", condition=Q(state__in=MemberState.values)
            ),
        ]

    def __str__(self) -> str:
        return self.label


class ApiKey(models.Model):
    """A key pair for signing requests; the secret is kept sealed (exchange.members.secrets).

    `networks` are those in CIDR form from which it may be used; none means from anywhere.
    """

    member = models.ForeignKey(Member, models.PROTECT, related_name="api_keys")
    access_key = models.CharField(max_length=32, unique=True)
    secret_sealed = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope.choices))
    label = models.CharField(max_length=64, blank=True)
    networks = ArrayField(models.CharField(max_length=49), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="members_apikey_scopes",
                condition=Q(scopes__contained_by=Scope.values) & ~Q(scopes__len=0),
            ),
        ]

    def __str__(self) -> str:
        return self.access_key


class Application(models.Model):
    """A wish to become a member, and the hash of the secret that its sender alone has.

    Once its party is identified the admission is tried when `due_at` has come.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    party = models.OneToOneField("compliance.Party", models.PROTECT, related_name="+")
    email = models.EmailField(max_length=254)
    label = models.CharField(max_length=64)
    secret_hash = models.BinaryField(max_length=32)
    member = models.OneToOneField(Member, models.PROTECT, related_name="+", null=True)
    first_key = models.OneToOneField(ApiKey, models.PROTECT, related_name="+", null=True)
    applied_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="members_application_key",
                condition=Q(first_key=None) | Q(member__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="members_application_pending", fields=["due_at"], condition=Q(member=None)
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

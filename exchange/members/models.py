"""Tables of members and their API keys."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

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
    """A key pair for signing requests; the secret is kept sealed (exchange.members.secrets)."""

    member = models.ForeignKey(Member, models.PROTECT, related_name="api_keys")
    access_key = models.CharField(max_length=32, unique=True)
    secret_sealed = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope.choices))
    label = models.CharField(max_length=64, blank=True)
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

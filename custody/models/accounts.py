"""Assets and accounts, with the numbers of the four fixed ones."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

OUTSIDE = 1
REVENUE = 2
SUSPENSE = 3
GUARANTEE = 4
MEMBER_ACCOUNT_MIN = 1000


class Asset(models.Model):
    """A unit of title; an amount of it is an integer of 10 ** -decimals units."""

    class Kind(models.TextChoices):
        METAL = "metal"
        CASH = "cash"
        SECURITY = "security"

    id = models.PositiveSmallIntegerField(primary_key=True)
    code = models.CharField(max_length=12, unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    decimals = models.PositiveSmallIntegerField()
    token_address = models.CharField(max_length=42, unique=True, null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id__gt=0), name="asset_id_positive"),
            models.CheckConstraint(condition=Q(decimals__lte=18), name="asset_decimals_bounded"),
        ]

    def __str__(self) -> str:
        return self.code


class Account(models.Model):
    """An account in engine, ledger and chain; its number is the same in all three.

    `address` is written by custody's signer with `attestation`, its signature over (holder,
    account, address). `engine_sequence` is where the engine opened it, `registered_at` when the
    chain's registry confirmed it; until then it is prepared again when `due_at` has come.
    """

    class Kind(models.TextChoices):
        MEMBER = "member"
        REVENUE = "revenue"
        OUTSIDE = "outside"
        SUSPENSE = "suspense"
        GUARANTEE = "guarantee"

    id = models.BigIntegerField(primary_key=True)
    holder = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.MEMBER)
    address = models.CharField(max_length=42, unique=True, null=True)
    attestation = models.BinaryField(max_length=65, null=True)
    engine_sequence = models.BigIntegerField(null=True)
    registered_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(id__gte=MEMBER_ACCOUNT_MIN, id__lt=2**31, kind="member")
                | Q(id__range=(OUTSIDE, GUARANTEE)) & ~Q(kind="member"),
                name="account_number_by_kind",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(engine_sequence__isnull=True) | Q(registered_at__isnull=True),
                name="account_unready",
            )
        ]

    @property
    def ready(self) -> bool:
        """Tell whether engine and chain both know the account."""
        return self.engine_sequence is not None and self.registered_at is not None

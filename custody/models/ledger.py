"""Entries, their postings, and what the ledger's follower must remember."""

from django.db import models
from django.db.models import Q

from compliance.fields import UnitsField
from custody.models.accounts import Account, Asset
from matching.protocol.units import UNITS_MAX


class Entry(models.Model):
    """One event of the engine as booked: `index` counts the events of that sequence number."""

    class Kind(models.TextChoices):
        FILL = "fill"
        CREDIT = "credit"
        DEBIT = "debit"
        TRANSFER = "transfer"
        CONVERSION = "conversion"
        SPLIT = "split"
        ALLOCATION = "allocation"

    sequence = models.BigIntegerField()
    index = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reference = models.CharField(max_length=96)
    time = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sequence", "index"], name="entry_once"),
        ]


class Posting(models.Model):
    """One account's signed change in one asset; the postings of an entry sum to zero per asset.

    A trigger checks by statement that entry, account and asset exist; none can be deleted.
    """

    entry = models.ForeignKey(
        Entry, on_delete=models.PROTECT, related_name="postings", db_constraint=False
    )
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="postings",
        db_constraint=False,
        db_index=False,
    )
    asset = models.ForeignKey(
        Asset,
        on_delete=models.PROTECT,
        related_name="postings",
        db_constraint=False,
        db_index=False,
    )
    amount_units = UnitsField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_units__range=(-UNITS_MAX, UNITS_MAX)) & ~Q(amount_units=0),
                name="posting_amount_bounded",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "asset", "id"]),
            models.Index(fields=["account", "id"]),
        ]


class LedgerInstrument(models.Model):
    """Which assets an instrument trades, as the engine defined it; they never change."""

    id = models.PositiveIntegerField(primary_key=True)
    base_asset = models.PositiveSmallIntegerField()
    quote_asset = models.PositiveSmallIntegerField()


class LedgerPosition(models.Model):
    """The last sequence number in the ledger; the one row has id 1."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="ledger_position_single")]

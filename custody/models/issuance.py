"""Wishes on chain, and evidence on its way to title."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from compliance.fields import UnitsField
from compliance.intents import ChainIntent
from custody.models.accounts import Account, Asset
from custody.models.evidence import BankNotice, RegistrarNotice, VaultReceipt
from matching.protocol.units import UNITS_MAX


class CustodyIntent(ChainIntent):
    """A wish to open an account in the registry, to mint, burn or transfer for `account`.

    The id of one that takes units out is its withdrawal's, so that the chain carries it once.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="intents")

    class Meta(ChainIntent.Meta):
        constraints = [
            *ChainIntent.Meta.constraints,
            models.UniqueConstraint(
                fields=["account"], condition=Q(kind="open"), name="custody_account_opened_once"
            ),
        ]


class Issuance(models.Model):
    """One piece of evidence on its way to title: act, mint on chain, credit in the engine."""

    class State(models.TextChoices):
        APPROVED = "approved"
        SIGNED = "signed"
        MINTED = "minted"
        CREDITED = "credited"

    notice = models.OneToOneField(BankNotice, on_delete=models.PROTECT, null=True)
    receipt = models.OneToOneField(VaultReceipt, on_delete=models.PROTECT, null=True)
    registration = models.OneToOneField(RegistrarNotice, on_delete=models.PROTECT, null=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="issuances")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="issuances")
    amount_units = UnitsField()
    act = models.OneToOneField("compliance.Act", on_delete=models.PROTECT)
    intent = models.OneToOneField(CustodyIntent, on_delete=models.PROTECT, null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.APPROVED)
    engine_sequence = models.BigIntegerField(null=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(notice__isnull=False, receipt=None, registration=None)
                | Q(notice=None, receipt__isnull=False, registration=None)
                | Q(notice=None, receipt=None, registration__isnull=False),
                name="issuance_one_evidence",
            ),
            models.CheckConstraint(
                condition=Q(amount_units__range=(1, UNITS_MAX)), name="issuance_amount_bounded"
            ),
            models.CheckConstraint(
                condition=~Q(state="credited") | Q(engine_sequence__isnull=False),
                name="issuance_credit_sequenced",
            ),
        ]
        indexes = [models.Index(fields=["state", "due_at"])]

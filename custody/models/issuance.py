"""Wishes on chain, and evidence on its way to title."""

from functools import reduce
from operator import or_

from django.db import models
from django.db.models import Q
from django.utils import timezone

from compliance.fields import UnitsField
from compliance.intents import ChainIntent
from custody.models.accounts import Account, Asset
from custody.models.evidence import BankNotice, RegistrarNotice, VaultReceipt
from matching.protocol.units import UNITS_MAX

EVIDENCE = ("notice", "receipt", "registration", "deposit", "rejection")


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


def _one_of(names: tuple[str, ...]) -> Q:
    """Return the condition that exactly one of these columns is filled."""
    return reduce(
        or_, (Q(**{f"{other}__isnull": other != name for other in names}) for name in names)
    )


class Issuance(models.Model):
    """One piece of evidence on its way to title: act, mint on chain, credit in the engine.

    A bank's word alone, without an act, is good for a matching deposit (up to the limit that the
    signer knows; its own act carries a larger one) and for a payment that did not go out.
    """

    class State(models.TextChoices):
        APPROVED = "approved"
        SIGNED = "signed"
        MINTED = "minted"
        CREDITED = "credited"

    notice = models.OneToOneField(BankNotice, on_delete=models.PROTECT, null=True)
    receipt = models.OneToOneField(VaultReceipt, on_delete=models.PROTECT, null=True)
    registration = models.OneToOneField(RegistrarNotice, on_delete=models.PROTECT, null=True)
    deposit = models.OneToOneField("custody.CashDeposit", on_delete=models.PROTECT, null=True)
    rejection = models.OneToOneField("custody.PaymentOrder", on_delete=models.PROTECT, null=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="issuances")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="issuances")
    amount_units = UnitsField()
    act = models.OneToOneField("compliance.Act", on_delete=models.PROTECT, null=True)
    intent = models.OneToOneField(CustodyIntent, on_delete=models.PROTECT, null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.APPROVED)
    engine_sequence = models.BigIntegerField(null=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_one_of(EVIDENCE), name="issuance_one_evidence"),
            models.CheckConstraint(
                condition=Q(act__isnull=False)
                | Q(deposit__isnull=False)
                | Q(rejection__isnull=False),
                name="issuance_decided",
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

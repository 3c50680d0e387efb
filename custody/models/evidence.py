"""What banks, vaults, auditors and registrars signed, as it was received."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from compliance.fields import UnitsField
from custody.models.accounts import Account, Asset
from matching.protocol.units import UNITS_MAX


class EvidenceKey(models.Model):
    """The Ed25519 key of a witness outside; the signer believes only its own policy file."""

    class Kind(models.TextChoices):
        BANK = "bank"
        VAULT = "vault"
        AUDITOR = "auditor"
        REGISTRAR = "registrar"

    name = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    public_key = models.BinaryField(max_length=32, unique=True)


class BankNotice(models.Model):
    """A bank's signed word that segregated cash came in for an account. Append-only."""

    notice_id = models.CharField(max_length=64, primary_key=True)
    bank = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="notices")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="notices")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="notices")
    amount_units = UnitsField()
    booked_at = models.CharField(max_length=32)
    signature = models.BinaryField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_units__range=(1, UNITS_MAX)), name="notice_amount_bounded"
            ),
        ]


class RegistrarNotice(models.Model):
    """A registrar's signed word that securities stand in custody's name for an account.

    Append-only.
    """

    notice_id = models.CharField(max_length=64, primary_key=True)
    registrar = models.ForeignKey(
        EvidenceKey, on_delete=models.PROTECT, related_name="registrar_notices"
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="registrar_notices")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="registrar_notices")
    amount_units = UnitsField()
    booked_at = models.CharField(max_length=32)
    signature = models.BinaryField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_units__range=(1, UNITS_MAX)), name="registrar_amount_bounded"
            ),
        ]


class VaultReceipt(models.Model):
    """A vault's signed list of bars for an account, and an auditor's signed count. Append-only.

    Weights are in the asset's base units. `bars` is what was signed; `VaultBar` keeps one bar from
    being counted twice.
    """

    receipt_id = models.CharField(max_length=64, primary_key=True)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="receipts")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="receipts")
    bars = models.JSONField()
    fine_units = UnitsField()
    vault = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="receipts")
    vault_signature = models.BinaryField(max_length=64)
    auditor = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="counts")
    auditor_fine_units = UnitsField()
    auditor_signature = models.BinaryField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(fine_units__range=(1, UNITS_MAX), auditor_fine_units=F("fine_units")),
                name="receipt_count_agrees",
            ),
        ]


class VaultBar(models.Model):
    """A bar behind one receipt, as it stands there; refiner, serial and year name it. Append-only.

    `vault` is where it lies.
    """

    receipt = models.ForeignKey(VaultReceipt, on_delete=models.PROTECT, related_name="held_bars")
    refiner = models.CharField(max_length=64)
    serial = models.CharField(max_length=64)
    year = models.PositiveSmallIntegerField()
    vault = models.CharField(max_length=64)
    gross_units = UnitsField()
    fine_units = UnitsField()
    fineness_ppm = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["refiner", "serial", "year"], name="bar_counted_once"),
            models.CheckConstraint(
                condition=Q(
                    fine_units__range=(1, F("gross_units")),
                    gross_units__lte=UNITS_MAX,
                    fineness_ppm__range=(1, 1_000_000),
                ),
                name="bar_weights_bounded",
            ),
        ]

"""Tables of the depository: assets, accounts, the ledger, evidence, issuance, wishes on chain."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from compliance.fields import UnitsField
from compliance.intents import ChainIntent
from matching.protocol.units import UNITS_MAX

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
    chain's registry confirmed it.
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
                fields=["id"],
                condition=Q(engine_sequence__isnull=True) | Q(registered_at__isnull=True),
                name="account_unready",
            )
        ]

    @property
    def ready(self) -> bool:
        """Tell whether engine and chain both know the account."""
        return self.engine_sequence is not None and self.registered_at is not None


class Entry(models.Model):
    """One event of the engine as booked: `index` counts the events of that sequence number."""

    class Kind(models.TextChoices):
        FILL = "fill"
        CREDIT = "credit"
        DEBIT = "debit"

    sequence = models.BigIntegerField()
    index = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    reference = models.CharField(max_length=96)
    time = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sequence", "index"], name="entry_once"),
        ]


class Posting(models.Model):
    """One account's signed change in one asset; the postings of an entry sum to zero per asset."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="postings")
    amount_units = UnitsField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_units__range=(-UNITS_MAX, UNITS_MAX)) & ~Q(amount_units=0),
                name="posting_amount_bounded",
            ),
        ]
        indexes = [models.Index(fields=["account", "asset"])]


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


class EvidenceKey(models.Model):
    """The Ed25519 key of a bank, vault or auditor; the signer believes only its own policy file."""

    class Kind(models.TextChoices):
        BANK = "bank"
        VAULT = "vault"
        AUDITOR = "auditor"

    name = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
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
    """A bar behind one receipt; refiner, serial number and year name it. Append-only."""

    receipt = models.ForeignKey(VaultReceipt, on_delete=models.PROTECT, related_name="held_bars")
    refiner = models.CharField(max_length=64)
    serial = models.CharField(max_length=64)
    year = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["refiner", "serial", "year"], name="bar_counted_once"),
        ]


class CustodyIntent(ChainIntent):
    """A wish to open an account in the registry, or to mint; `account` is whom it concerns."""

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
                condition=Q(notice__isnull=False, receipt__isnull=True)
                | Q(notice__isnull=True, receipt__isnull=False),
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


class WithdrawalHalt(models.Model):
    """Withdrawals stand still while a row has no `lifted_at`."""

    reason = models.TextField()
    halted_at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.OneToOneField("compliance.Act", on_delete=models.PROTECT, null=True)

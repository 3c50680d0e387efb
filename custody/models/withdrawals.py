"""Units on their way out of the house and back into it."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from compliance.fields import UnitsField
from custody.models.accounts import Account, Asset
from custody.models.evidence import EvidenceKey, VaultBar
from custody.models.issuance import CustodyIntent
from matching.protocol.units import UNITS_MAX


class Withdrawal(models.Model):
    """Units of an account on their way out: debit, covering batch, signature, chain, delivery.

    `destination` is where they go: `<bank>:<number>` for cash, a checksum address for a token,
    `<bars>@<pickup reference>` for bars. The engine's reference carries a hash of it. `fee_units`
    and `vat_units` are in base units of KRW, and taken with the debit. `act` is the officers'
    approval where one is needed, `cover_sequence` with `cover_signature` the clearing house's word
    that every fill up to it is title. `limit_day` is the trade date whose automatic limit it used.
    `executed_at` is when the units had left the chain's account for good, `closed_at` when bank or
    vault had answered too, or when they will never leave.
    """

    class Kind(models.TextChoices):
        CASH = "cash"
        TOKEN = "token"
        BAR = "bar"

    class State(models.TextChoices):
        """`debiting`: the engine is asked, too late to cancel; `returning`: to be given back."""

        REQUESTED = "requested"
        DEBITING = "debiting"
        HELD = "held"
        COVERED = "covered"
        SIGNED = "signed"
        EXECUTED = "executed"
        COMPLETED = "completed"
        RETURNING = "returning"
        RETURNED = "returned"
        REFUSED = "refused"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="withdrawals")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="withdrawals")
    amount_units = UnitsField()
    fee_units = UnitsField(default=0)
    vat_units = UnitsField(default=0)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    destination = models.CharField(max_length=1000)
    client_reference = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.REQUESTED)
    reason = models.CharField(max_length=500, blank=True)
    engine_sequence = models.BigIntegerField(null=True)
    return_sequence = models.BigIntegerField(null=True)
    cover_sequence = models.BigIntegerField(null=True)
    cover_signature = models.BinaryField(max_length=65, null=True)
    intent = models.OneToOneField(CustodyIntent, on_delete=models.PROTECT, null=True)
    act = models.OneToOneField("compliance.Act", on_delete=models.PROTECT, null=True)
    limit_day = models.DateField(null=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    executed_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "client_reference"], name="withdrawal_reference_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    amount_units__range=(1, UNITS_MAX),
                    fee_units__range=(0, UNITS_MAX),
                    vat_units__range=(0, UNITS_MAX),
                ),
                name="withdrawal_amount_bounded",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "debiting", "refused", "cancelled"])
                | Q(engine_sequence__isnull=False),
                name="withdrawal_debit_sequenced",
            ),
            models.CheckConstraint(
                condition=Q(intent=None) | Q(intent=models.F("id")),
                name="withdrawal_intent_named",
            ),
            models.CheckConstraint(
                condition=Q(state="returned")
                | (Q(state__in=["executed", "completed"]) ^ Q(executed_at=None)),
                name="withdrawal_executed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["completed", "returned", "refused", "cancelled"])
                ^ Q(closed_at=None),
                name="withdrawal_closed",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "due_at"]),
            models.Index(fields=["account", "-created_at"]),
        ]

    @property
    def open(self) -> bool:
        """Tell whether the units are neither gone for good nor back."""
        return self.executed_at is None and self.closed_at is None


class WithdrawalCharge(models.Model):
    """Fee and VAT of a withdrawal on their way to revenue; the withdrawal says how much.

    `intent` moves them on chain once the withdrawal is final. `closed_at` is when the engine had
    credited them, or they were never taken or given back.
    """

    class State(models.TextChoices):
        DUE = "due"
        MOVED = "moved"
        CREDITED = "credited"
        VOID = "void"

    withdrawal = models.OneToOneField(
        Withdrawal, on_delete=models.PROTECT, primary_key=True, related_name="charge"
    )
    intent = models.OneToOneField(CustodyIntent, on_delete=models.PROTECT, null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.DUE)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["credited", "void"]) ^ Q(closed_at=None),
                name="charge_closed",
            ),
        ]
        indexes = [models.Index(fields=["state", "due_at"])]


class BarReservation(models.Model):
    """A bar promised to a withdrawal; the row goes when the withdrawal fails."""

    bar = models.OneToOneField(VaultBar, on_delete=models.PROTECT, related_name="reservation")
    withdrawal = models.ForeignKey(Withdrawal, on_delete=models.PROTECT, related_name="bars")


class ReleaseDue(models.Model):
    """A vault is to hand over the bars of a withdrawal whose burn is final.

    `signature` is custody's signer's over the order (`custody.bar_documents`).
    """

    withdrawal = models.OneToOneField(
        Withdrawal, on_delete=models.PROTECT, primary_key=True, related_name="release_due"
    )
    vault = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="+")
    signature = models.BinaryField(max_length=64, null=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)


class VaultRelease(models.Model):
    """A vault's signed word that it handed bars over for a withdrawal. Append-only."""

    release_id = models.CharField(max_length=64, primary_key=True)
    withdrawal = models.OneToOneField(Withdrawal, on_delete=models.PROTECT, related_name="release")
    vault = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="releases")
    fine_units = UnitsField()
    bars = models.JSONField()
    released_at = models.CharField(max_length=32)
    signature = models.BinaryField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now)


class TokenDeposit(models.Model):
    """One `Transfer` of a known token from outside to an account, credited in the engine once."""

    class State(models.TextChoices):
        FOUND = "found"
        CONFIRMED = "confirmed"
        CREDITED = "credited"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="token_deposits")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="token_deposits")
    amount_units = UnitsField()
    sender = models.CharField(max_length=42)
    transaction_hash = models.CharField(max_length=66)
    log_index = models.PositiveIntegerField()
    block_number = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.FOUND)
    engine_sequence = models.BigIntegerField(null=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction_hash", "log_index"], name="token_deposit_once"
            ),
            models.CheckConstraint(
                condition=Q(amount_units__range=(1, UNITS_MAX)), name="token_deposit_bounded"
            ),
            models.CheckConstraint(
                condition=~Q(state="credited") | Q(engine_sequence__isnull=False),
                name="token_deposit_sequenced",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "due_at"]),
            models.Index(fields=["account", "-created_at"]),
        ]


class AutomaticLimit(models.Model):
    """Up to how much passes in a day without officers, as members are told it.

    Custody's signer goes by its policy file, which is written with it.
    """

    class Action(models.TextChoices):
        DEPOSIT = "deposit"
        WITHDRAW = "withdraw"

    pk = models.CompositePrimaryKey("action", "asset")
    action = models.CharField(max_length=8, choices=Action.choices)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    units = UnitsField()


class WithdrawalHalt(models.Model):
    """Withdrawals stand still while a row has no `lifted_at`."""

    reason = models.TextField()
    halted_at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.OneToOneField("compliance.Act", on_delete=models.PROTECT, null=True)

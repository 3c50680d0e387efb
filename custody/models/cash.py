"""Money at banks: virtual accounts, members' bank accounts, deposits, payment orders."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from custody.models.accounts import Account, Asset
from custody.models.evidence import EvidenceKey
from custody.models.withdrawals import Withdrawal


class VirtualAccount(models.Model):
    """The number at a bank under which money for an account comes in."""

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="virtual_account"
    )
    bank = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="+")
    number = models.CharField(max_length=32, unique=True)


class BankAccount(models.Model):
    """An account at a bank to which an account's money may go; in the holder's own name."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="bank_accounts")
    bank = models.CharField(max_length=64)
    number = models.CharField(max_length=32)
    holder_name = models.CharField(max_length=200)
    registered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "bank", "number"], name="bank_account_once"),
        ]


class CashDeposit(models.Model):
    """A bank's signed word that somebody paid into a virtual account, and what came of it.

    `account` is whom it is for, empty while nobody knows; `amount` is in whole units of the
    currency, `limit_day` the trade date whose automatic limit it used. Its document never changes.
    """

    class State(models.TextChoices):
        REVIEW = "review"
        ACCEPTED = "accepted"
        RETURNING = "returning"
        RETURNED = "returned"

    notice_id = models.CharField(max_length=64, primary_key=True)
    bank = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="cash_deposits")
    document = models.JSONField()
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, null=True, related_name="+")
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, null=True, related_name="cash_deposits"
    )
    state = models.CharField(max_length=16, choices=State.choices)
    reason = models.CharField(max_length=300, blank=True)
    act = models.OneToOneField("compliance.Act", on_delete=models.PROTECT, null=True)
    limit_day = models.DateField(null=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="cash_deposit_not_negative"),
            models.CheckConstraint(
                condition=~Q(state="accepted")
                | Q(asset__isnull=False, account__isnull=False, amount__gt=0),
                name="cash_deposit_accepted_for_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="review") | ~Q(reason=""), name="cash_deposit_review_reasoned"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["returning", "returned"]) | Q(act__isnull=False),
                name="cash_deposit_return_decided",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "due_at"]),
            models.Index(fields=["account", "-received_at"]),
        ]


class BankBalance(models.Model):
    """A bank's signed word on what stood in its segregated account. Append-only.

    `amount` is in whole units of the currency.
    """

    bank = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="balances")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    booked_at = models.DateTimeField()
    document = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["bank", "asset", "booked_at", "amount"], name="bank_balance_once"
            ),
        ]


class PaymentOrder(models.Model):
    """Custody's order to a bank to pay segregated money out, and the bank's signed answer.

    It pays a withdrawal (whose id it carries) or returns a deposit. The signer signs its terms,
    which never change; the bank pays an id once.
    """

    class State(models.TextChoices):
        DUE = "due"
        SIGNED = "signed"
        SENT = "sent"
        PAID = "paid"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    withdrawal = models.OneToOneField(
        Withdrawal, on_delete=models.PROTECT, null=True, related_name="payment"
    )
    deposit = models.ForeignKey(
        CashDeposit, on_delete=models.PROTECT, null=True, related_name="returns"
    )
    bank = models.ForeignKey(EvidenceKey, on_delete=models.PROTECT, related_name="payment_orders")
    to_bank = models.CharField(max_length=64)
    to_number = models.CharField(max_length=32)
    to_name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.DUE)
    signature = models.BinaryField(max_length=64, null=True)
    answer = models.JSONField(null=True)
    error = models.CharField(max_length=500, blank=True)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(withdrawal=models.F("id"), deposit=None)
                | Q(withdrawal=None, deposit__isnull=False),
                name="payment_one_cause",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(state="due") | Q(signature__isnull=False), name="payment_signed"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["paid", "rejected"], answer__isnull=False)
                | Q(state__in=["due", "signed", "sent"], answer=None),
                name="payment_answered",
            ),
            models.UniqueConstraint(
                fields=["deposit"],
                condition=~Q(state="rejected"),
                name="payment_returns_a_deposit_once",
            ),
        ]
        indexes = [models.Index(fields=["state", "due_at"])]

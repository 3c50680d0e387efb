"""Tables of the clearing house: obligations, batches, lanes and their transactions.

Decisions live in services; a row here says what was decided and what the chain was last seen to
hold.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from compliance.fields import UnitsField


class Deployment(models.Model):
    """The one set of contracts this instance settles on; written by `manage.py chain_deploy`."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    instance = models.UUIDField()
    chain_id = models.BigIntegerField()
    block_number = models.BigIntegerField()
    settlement = models.CharField(max_length=42)
    account_registry = models.CharField(max_length=42)
    identity_registry = models.CharField(max_length=42)
    suspense = models.CharField(max_length=42)
    guarantee_fund = models.CharField(max_length=42)
    authorities = models.JSONField()
    tokens = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="settlement_deployment_one")]


class InstrumentTerms(models.Model):
    """Which assets an instrument exchanges, as the engine defined it; they never change."""

    instrument = models.IntegerField(primary_key=True)
    base_asset = models.IntegerField()
    quote_asset = models.IntegerField()


class ObligationPosition(models.Model):
    """The last engine sequence whose obligations are stored."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="settlement_position_one")]


class DepositPosition(models.Model):
    """The last block whose transfers from outside wallets were handed to custody."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    block_number = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="settlement_deposit_position_one")
        ]


class ChainSight(models.Model):
    """The chain's newest block when the node last answered, for who may not ask it; id is 1."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    block_number = models.BigIntegerField()
    block_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="settlement_chain_sight_one")]


class Obligation(models.Model):
    """What one fill makes two accounts owe each other, in base units; append-only.

    Fill and instrument are 0 for a movement between accounts (`netting.Obligation`).
    """

    pk = models.CompositePrimaryKey("sequence", "fill_id")
    sequence = models.BigIntegerField()
    fill_id = models.BigIntegerField()
    instrument = models.IntegerField()
    buyer = models.BigIntegerField()
    seller = models.BigIntegerField()
    base_asset = models.IntegerField()
    base_units = UnitsField()
    quote_asset = models.IntegerField()
    quote_units = UnitsField()
    buyer_fee_units = UnitsField()
    seller_fee_units = UnitsField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(base_units__gt=0, quote_units__gt=0)
                | Q(base_units__gt=0, quote_units=0, fill_id=0, instrument=0),
                name="settlement_obligation_positive",
            ),
            models.UniqueConstraint(
                fields=["fill_id"],
                condition=Q(fill_id__gt=0),
                name="settlement_obligation_fill_once",
            ),
        ]


class BatchState(models.TextChoices):
    """How far a batch has come; between `signed` and `confirmed` the chain decides which."""

    PROPOSED = "proposed"
    SIGNED = "signed"
    SETTLING = "settling"
    OPENING = "opening"
    COLLECTING = "collecting"
    PAYING = "paying"
    UNWINDING = "unwinding"
    REORGANISED = "reorganised"
    CONFIRMED = "confirmed"
    UNWOUND = "unwound"


class Batch(models.Model):
    """One range of engine sequences, netted and settled at once or in chunks.

    A partial unique index allows one batch that is neither confirmed, unwound nor reorganised.
    `reorganised` is a confirmed batch which the chain lost and which is on its way again.
    `block_before` is a block that was final before the batch could be on chain.
    """

    batch_id = models.BigIntegerField(primary_key=True)
    from_sequence = models.BigIntegerField()
    to_sequence = models.BigIntegerField()
    fills = models.IntegerField()
    fills_root = models.BinaryField(max_length=32)
    chunks_hash = models.BinaryField(max_length=32)
    venue_signature = models.BinaryField(max_length=65)
    clearing_signature = models.BinaryField(max_length=65, null=True)
    unwind_signature = models.BinaryField(max_length=65, null=True)
    unwind_act = models.UUIDField(null=True)
    state = models.CharField(
        max_length=12, choices=BatchState.choices, default=BatchState.PROPOSED, db_index=True
    )
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.IntegerField(default=0)
    error = models.TextField(default="", blank=True)
    block_before = models.BigIntegerField(null=True)
    gas_used = models.BigIntegerField(default=0)
    proposed_at = models.DateTimeField(auto_now_add=True)
    signed_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    unwound_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    from_sequence__gte=1, to_sequence__gte=F("from_sequence"), fills__gte=0
                ),
                name="settlement_batch_range",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "unwound"])
                | Q(clearing_signature__isnull=False),
                name="settlement_batch_signed",
            ),
            models.UniqueConstraint(
                fields=["from_sequence"],
                condition=~Q(state="unwound"),
                name="settlement_batch_range_once",
            ),
        ]


class NetPosition(models.Model):
    """What an account gives (below zero) or receives in one asset by one batch; append-only."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="positions")
    account = models.BigIntegerField()
    asset = models.IntegerField()
    amount_units = UnitsField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "account", "asset"], name="settlement_position_once"
            )
        ]


class Chunk(models.Model):
    """One piece of a batch as the contract takes it: phase 0 collects, 1 pays; append-only."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="chunks")
    index = models.IntegerField()
    phase = models.SmallIntegerField()
    data = models.BinaryField()
    hash = models.BinaryField(max_length=32)
    deltas = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "index"], name="settlement_chunk_once")
        ]


class Substitution(models.Model):
    """The guarantee fund's promise to pay part of one account's debit in one batch."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="substitutions")
    act = models.UUIDField(unique=True)
    asset = models.IntegerField()
    account = models.BigIntegerField()
    amount_units = UnitsField()
    clearing_signature = models.BinaryField(max_length=65, null=True)
    venue_signature = models.BinaryField(max_length=65, null=True)
    registered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "asset", "account"], name="settlement_substitution_once"
            ),
            models.CheckConstraint(
                condition=Q(amount_units__gt=0), name="settlement_substitution_positive"
            ),
        ]


class MovementKind(models.TextChoices):
    DIVERTED = "diverted"
    SUBSTITUTED = "substituted"


class ReserveMovement(models.Model):
    """Units which a settled batch moved through suspense or the guarantee fund; append-only."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="reserve_movements")
    kind = models.CharField(max_length=12, choices=MovementKind.choices)
    account = models.BigIntegerField()
    asset = models.IntegerField()
    amount_units = UnitsField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "kind", "account", "asset"], name="settlement_movement_once"
            )
        ]


class Lane(models.Model):
    """An address that pays gas and can do nothing else, with the next nonce to hand out."""

    name = models.CharField(max_length=16, primary_key=True)
    address = models.CharField(max_length=42, unique=True)
    next_nonce = models.BigIntegerField(default=0)


class TransactionState(models.TextChoices):
    """`superseded`: another transaction took the nonce; `reverted`: mined without effect."""

    STORED = "stored"
    BROADCAST = "broadcast"
    MINED = "mined"
    FINAL = "final"
    REVERTED = "reverted"
    SUPERSEDED = "superseded"


class ChainTransaction(models.Model):
    """A signed transaction under one nonce; stored before it is sent, re-sent byte by byte.

    `subject` names the step it carries out; at most one transaction a step is on its way.
    `hashes` keeps that of every replacement, newest last; `raw` is the newest.
    """

    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="transactions")
    nonce = models.BigIntegerField()
    subject = models.CharField(max_length=80, db_index=True)
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.PROTECT, related_name="transactions"
    )
    target = models.CharField(max_length=42)
    data = models.BinaryField()
    gas = models.BigIntegerField()
    max_fee_wei = UnitsField()
    priority_fee_wei = UnitsField()
    raw = models.BinaryField()
    hashes = ArrayField(models.CharField(max_length=66))
    state = models.CharField(
        max_length=10,
        choices=TransactionState.choices,
        default=TransactionState.STORED,
        db_index=True,
    )
    gas_used = models.BigIntegerField(null=True)
    error = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lane", "nonce"], name="settlement_nonce_once"),
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(state__in=["stored", "broadcast"]),
                name="settlement_step_once",
            ),
        ]


class CarriedIntent(models.Model):
    """A lower body's intent which we carry, until the chain finally holds it.

    `subject` names the transactions that carry it, among others perhaps.
    """

    intent = models.UUIDField(primary_key=True)
    body = models.CharField(max_length=12)
    authority = models.CharField(max_length=42)
    id_bytes = models.BinaryField(max_length=32)
    subject = models.CharField(max_length=80)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["intent"],
                condition=Q(confirmed_at__isnull=True),
                name="settlement_carried_unconfirmed",
            )
        ]


class Reconciliation(models.Model):
    """One comparison of engine, ledger, chain and outside holdings at a cut; the newest speaks."""

    at = models.DateTimeField(auto_now_add=True)
    sequence = models.BigIntegerField()
    block_number = models.BigIntegerField()
    mismatches = models.IntegerField()
    report = models.JSONField()

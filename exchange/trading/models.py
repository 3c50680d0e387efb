"""Tables of orders, fills and batch proposals; the first two come from the engine's events alone.

Accounts and instruments are the engine's numbers, without foreign keys: a record of what happened
must never be refused because of another table.
"""

from django.db import models
from django.db.models import F, Q

from compliance.fields import UnitsField
from matching.protocol.units import (
    CancelReason,
    FillKind,
    Medium,
    OrderKind,
    SelfTradePrevention,
    Side,
    TimeInForce,
)


class OrderState(models.IntegerChoices):
    """WAITING: outside the book, for its stop price or the closing auction."""

    OPEN = 1, "open"
    FILLED = 2, "filled"
    CANCELLED = 3, "cancelled"
    WAITING = 4, "waiting"


LIVE = (OrderState.OPEN, OrderState.WAITING)


class Order(models.Model):
    """An accepted order and what became of it up to `updated_sequence`.

    `order_id` is the sequence number of the command that placed it. `placed_*` are as first
    accepted; `price_ticks` (0 = no limit), `quantity_lots` and `stop_price_ticks` follow
    amendments, and `acting_kind` is what a stop or conditional order has turned into. Quantity less
    filled less remaining was taken off by self-trade prevention, by a route, or by closing.
    `trail_ticks` to `pair` are the order's terms as placed; 0 and "" are none.
    """

    order_id = models.BigIntegerField(primary_key=True)
    account = models.BigIntegerField()
    client_order_id = models.CharField(max_length=36)
    instrument = models.PositiveSmallIntegerField()
    side = models.PositiveSmallIntegerField()
    kind = models.PositiveSmallIntegerField()
    acting_kind = models.PositiveSmallIntegerField()
    time_in_force = models.PositiveSmallIntegerField()
    placed_price_ticks = models.BigIntegerField()
    placed_quantity_lots = models.BigIntegerField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    stop_price_ticks = models.BigIntegerField(default=0)
    trail_ticks = models.BigIntegerField(default=0)
    display_lots = models.BigIntegerField(default=0)
    minimum_lots = models.BigIntegerField(default=0)
    cash_units = UnitsField(default=0)
    expires_at_ns = models.BigIntegerField(default=0)
    tag = models.CharField(max_length=16, blank=True)
    pair = models.CharField(max_length=36, blank=True)
    filled_lots = models.BigIntegerField(default=0)
    remaining_lots = models.BigIntegerField()
    filled_quote_units = UnitsField(default=0)
    fee_units = UnitsField(default=0)
    post_only = models.BooleanField()
    self_trade_prevention = models.PositiveSmallIntegerField()
    medium = models.PositiveSmallIntegerField()
    state = models.PositiveSmallIntegerField(choices=OrderState.choices)
    cancel_reason = models.PositiveSmallIntegerField(null=True)
    accepted_at_ns = models.BigIntegerField()
    updated_at_ns = models.BigIntegerField()
    updated_sequence = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="trading_order_codes",
                condition=Q(
                    side__in=[s.value for s in Side],
                    kind__in=[k.value for k in OrderKind],
                    acting_kind__in=[k.value for k in OrderKind],
                    time_in_force__in=[t.value for t in TimeInForce],
                    self_trade_prevention__in=[s.value for s in SelfTradePrevention],
                    medium__in=[m.value for m in Medium],
                    state__in=OrderState.values,
                )
                & (Q(cancel_reason=None) | Q(cancel_reason__in=[r.value for r in CancelReason])),
            ),
            models.CheckConstraint(
                name="trading_order_quantities",
                condition=Q(
                    filled_lots__gte=0,
                    remaining_lots__gte=0,
                    quantity_lots__gte=F("filled_lots") + F("remaining_lots"),
                ),
            ),
            models.CheckConstraint(
                name="trading_order_open_remains",
                condition=Q(state__in=LIVE, remaining_lots__gt=0)
                | (~Q(state__in=LIVE) & Q(remaining_lots=0)),
            ),
        ]
        indexes = [
            models.Index(name="trading_order_account", fields=["account", "-order_id"]),
            models.Index(
                name="trading_order_open",
                fields=["account", "-order_id"],
                condition=Q(state__in=LIVE),
            ),
            models.Index(
                name="trading_order_client_order_id",
                fields=["account", "client_order_id", "-order_id"],
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.order_id}"


class Fill(models.Model):
    """A trade; settled when its sequence is not above the confirmed one.

    Order ids are 0 where no order of this venue stands behind a side (external, compensating).
    """

    fill_id = models.BigIntegerField(primary_key=True)
    sequence = models.BigIntegerField()
    time_ns = models.BigIntegerField()
    instrument = models.PositiveSmallIntegerField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    base_units = UnitsField()
    quote_units = UnitsField()
    taker_side = models.PositiveSmallIntegerField()
    maker_order_id = models.BigIntegerField()
    taker_order_id = models.BigIntegerField()
    maker_account = models.BigIntegerField()
    taker_account = models.BigIntegerField()
    maker_fee_units = UnitsField()
    taker_fee_units = UnitsField()
    kind = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="trading_fill_amounts",
                condition=Q(
                    kind__in=[k.value for k in FillKind],
                    price_ticks__gt=0,
                    quantity_lots__gt=0,
                    base_units__gt=0,
                    quote_units__gt=0,
                    taker_side__in=[s.value for s in Side],
                ),
            ),
        ]
        indexes = [
            models.Index(name="trading_fill_sequence", fields=["sequence"]),
            models.Index(name="trading_fill_maker", fields=["maker_account", "-fill_id"]),
            models.Index(name="trading_fill_taker", fields=["taker_account", "-fill_id"]),
        ]

    def __str__(self) -> str:
        return f"fill {self.fill_id}"


class Movement(models.Model):
    """Units that moved between accounts without a fill, as clearing nets them; append-only.

    A conversion is a trade with its provider; in a transfer the seller gets nothing.
    """

    sequence = models.BigIntegerField(primary_key=True)
    buyer = models.BigIntegerField()
    seller = models.BigIntegerField()
    base_asset = models.PositiveSmallIntegerField()
    base_units = UnitsField()
    quote_asset = models.PositiveSmallIntegerField()
    quote_units = UnitsField()

    def __str__(self) -> str:
        return f"movement {self.sequence}"


class KillSwitch(models.Model):
    """Whether an account (instrument 0) or an instrument (account 0) is stopped."""

    account = models.BigIntegerField()
    instrument = models.PositiveSmallIntegerField()
    engaged = models.BooleanField()
    changed_at_ns = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="trading_killswitch_one", fields=["account", "instrument"]
            ),
        ]

    def __str__(self) -> str:
        return f"account {self.account}, instrument {self.instrument}"


class FeeTier(models.Model):
    """A holder's fee tier as the engine was told, and the 30 days' volume that it follows from."""

    holder = models.BigIntegerField(primary_key=True)
    tier = models.PositiveSmallIntegerField()
    volume_units = UnitsField()

    def __str__(self) -> str:
        return f"holder {self.holder}, tier {self.tier}"


class FeeTierDay(models.Model):
    """A trade date and whether its tiers are set; records must reach `sequence` for that."""

    date = models.DateField(primary_key=True)
    sequence = models.BigIntegerField()
    done = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.date.isoformat()


class ProjectorPosition(models.Model):
    """The one row that says up to which sequence number orders and fills are written."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="trading_projectorposition_single", condition=Q(id=1)),
        ]


class BatchProposalState(models.TextChoices):
    """REPLACED: the batch unwound or was refused, and its range went into another proposal."""

    PROPOSED = "proposed"
    SIGNED = "signed"
    SUBMITTED = "submitted"
    REPLACED = "replaced"


class BatchProposal(models.Model):
    """The venue's net of all fills of a sequence range, its signature on it, and its handing over.

    `net` lists [account, asset, amount_units as a string], without zeros.
    """

    batch_id = models.BigIntegerField(primary_key=True)
    from_sequence = models.BigIntegerField()
    to_sequence = models.BigIntegerField()
    fills = models.IntegerField()
    fills_root = models.BinaryField(max_length=32)
    chunks_hash = models.BinaryField(max_length=32)
    net = models.JSONField()
    venue_signature = models.BinaryField(max_length=65, null=True)
    state = models.CharField(
        max_length=9, choices=BatchProposalState.choices, default=BatchProposalState.PROPOSED
    )
    error = models.TextField(blank=True)
    proposed_at = models.DateTimeField(auto_now_add=True)
    signed_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="trading_batchproposal_range",
                condition=Q(from_sequence__gt=0, to_sequence__gte=F("from_sequence")),
            ),
            models.CheckConstraint(
                name="trading_batchproposal_signed",
                condition=Q(state__in=["proposed", "replaced"], venue_signature=None)
                | ~Q(venue_signature=None),
            ),
            models.UniqueConstraint(
                name="trading_batchproposal_one_per_range",
                fields=["from_sequence"],
                condition=~Q(state="replaced"),
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.batch_id}"

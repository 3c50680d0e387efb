"""Tables of listed instruments, of segments of the market, and of the sessions of calendars."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from compliance.fields import UnitsField
from exchange.listings.calendars import ROUND_THE_CLOCK
from matching.protocol.commands import BreakerStage, DefineInstrument, DefineSegment
from matching.protocol.units import (
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
    Allocation,
    Phase,
)


class InstrumentPhase(models.IntegerChoices):
    """The engine's phases, as last seen in its events."""

    CLOSED = Phase.CLOSED, "closed"
    CONTINUOUS = Phase.CONTINUOUS, "continuous"
    HALTED = Phase.HALTED, "halted"
    OPENING_AUCTION = Phase.OPENING_AUCTION, "opening_auction"
    VOLATILITY_AUCTION = Phase.VOLATILITY_AUCTION, "volatility_auction"
    CLOSING_AUCTION = Phase.CLOSING_AUCTION, "closing_auction"
    CONTINUOUS_24H = Phase.CONTINUOUS_24H, "continuous_24h"


class Calendar(models.TextChoices):
    """When an instrument trades: always, or in the sessions of an exchange (ISO 10383 code)."""

    ROUND_THE_CLOCK = ROUND_THE_CLOCK, "24h"
    XKRX = "XKRX"


class Instrument(models.Model):
    """A market: what is traded, in which steps and within which bounds.

    Prices are quoted per `unit` of the base asset, quantities in `unit`; tick and lot are decimal
    amounts of quote asset and unit. The engine speaks only of ticks and lots; `tick_table` holds
    its [from price, step] pairs. A band bound of 0 means none; the bounds follow from base price
    and `band_ppm`; other rates and times are 0 for none. `fee_tiers` holds the [maker, taker] rates
    of tiers 1, 2, ... `phase` and when it ends follow the engine's events and are for show: the
    engine decides.
    `defined_sequence` is empty while the engine has not been told of this row's last change.
    Transitions of the calendar up to `scheduled_to` have been followed.
    """

    id = models.PositiveSmallIntegerField(primary_key=True)
    symbol = models.CharField(max_length=24, unique=True)
    base_asset = models.ForeignKey("custody.Asset", models.PROTECT, related_name="+")
    quote_asset = models.ForeignKey("custody.Asset", models.PROTECT, related_name="+")
    unit = models.CharField(max_length=8)
    tick_size = models.DecimalField(max_digits=30, decimal_places=12)
    lot_size = models.DecimalField(max_digits=30, decimal_places=12)
    tick_table = models.JSONField(default=list)
    base_units_per_lot = UnitsField()
    quote_units_per_tick_lot = UnitsField()
    instrument_class = models.PositiveIntegerField()
    quantity_lots_max = models.BigIntegerField()
    base_price_ticks = models.BigIntegerField(default=0)
    band_ppm = models.PositiveIntegerField(default=0)
    price_ticks_low = models.BigIntegerField(default=0)
    price_ticks_high = models.BigIntegerField(default=0)
    maker_fee_ppm = models.IntegerField(default=0)
    taker_fee_ppm = models.IntegerField(default=0)
    fee_tiers = models.JSONField(default=list)
    notional_units_max = UnitsField(default=0)
    collar_ppm = models.PositiveIntegerField(default=0)
    dynamic_ppm = models.PositiveIntegerField(default=0)
    closing_dynamic_ppm = models.PositiveIntegerField(default=0)
    static_ppm = models.PositiveIntegerField(default=0)
    volatility_auction_ns = models.BigIntegerField(default=0)
    random_end_ns = models.BigIntegerField(default=0)
    allocation = models.PositiveSmallIntegerField(default=Allocation.PRICE_TIME)
    phase = models.PositiveSmallIntegerField(
        choices=InstrumentPhase.choices, default=InstrumentPhase.CLOSED
    )
    phase_ends_at_ns = models.BigIntegerField(default=0)
    phase_sequence = models.BigIntegerField(default=0)
    defined_sequence = models.BigIntegerField(null=True)
    calendar = models.CharField(
        max_length=8, choices=Calendar.choices, default=Calendar.ROUND_THE_CLOCK
    )
    scheduled_to = models.DateTimeField(default=timezone.now)
    halted_by_officers = models.BooleanField(default=False)
    listed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="listings_instrument_steps",
                condition=Q(
                    id__gt=0,
                    tick_size__gt=0,
                    lot_size__gt=0,
                    base_units_per_lot__gt=0,
                    quote_units_per_tick_lot__gt=0,
                    quantity_lots_max__gt=0,
                    quantity_lots_max__lte=QUANTITY_LOTS_MAX,
                ),
            ),
            models.CheckConstraint(
                name="listings_instrument_band",
                condition=Q(price_ticks_low__gte=0, price_ticks_high__lte=PRICE_TICKS_MAX)
                & Q(base_price_ticks__gte=0, band_ppm__lt=PARTS_PER_MILLION)
                & (Q(price_ticks_high=0) | Q(price_ticks_high__gte=F("price_ticks_low"))),
            ),
            models.CheckConstraint(
                name="listings_instrument_fees",
                condition=Q(taker_fee_ppm__gte=0, taker_fee_ppm__lt=PARTS_PER_MILLION)
                & Q(taker_fee_ppm__gte=-F("maker_fee_ppm"), maker_fee_ppm__lt=PARTS_PER_MILLION),
            ),
            models.CheckConstraint(
                name="listings_instrument_interruptions",
                condition=Q(
                    volatility_auction_ns__gte=0,
                    random_end_ns__gte=0,
                    notional_units_max__gte=0,
                    allocation__in=[each.value for each in Allocation],
                )
                & (
                    Q(dynamic_ppm=0, closing_dynamic_ppm=0, static_ppm=0)
                    | Q(volatility_auction_ns__gt=0)
                ),
            ),
            models.CheckConstraint(
                name="listings_instrument_two_assets",
                condition=~Q(base_asset=F("quote_asset")),
            ),
            models.CheckConstraint(
                name="listings_instrument_calendar", condition=Q(calendar__in=Calendar.values)
            ),
        ]

    def __str__(self) -> str:
        return self.symbol

    def definition(self) -> DefineInstrument:
        """Return what the engine is told of this row."""
        return DefineInstrument(
            instrument=self.id,
            base_asset=self.base_asset_id,
            quote_asset=self.quote_asset_id,
            base_units_per_lot=self.base_units_per_lot,
            quote_units_per_tick_lot=self.quote_units_per_tick_lot,
            instrument_class=self.instrument_class,
            quantity_lots_max=self.quantity_lots_max,
            price_ticks_low=self.price_ticks_low,
            price_ticks_high=self.price_ticks_high,
            maker_fee_ppm=self.maker_fee_ppm,
            taker_fee_ppm=self.taker_fee_ppm,
            tick_table=tuple((start, step) for start, step in self.tick_table),
            base_price_ticks=self.base_price_ticks,
            fee_tiers=tuple((maker, taker) for maker, taker in self.fee_tiers),
            notional_units_max=int(self.notional_units_max),
            collar_ppm=self.collar_ppm,
            dynamic_ppm=self.dynamic_ppm,
            closing_dynamic_ppm=self.closing_dynamic_ppm,
            static_ppm=self.static_ppm,
            volatility_auction_ns=self.volatility_auction_ns,
            random_end_ns=self.random_end_ns,
            allocation=Allocation(self.allocation),
        )


class Segment(models.Model):
    """Instruments that a circuit breaker halts together, by their index.

    `constituents` holds [instrument, weight] pairs: the index is the sum of weight times reference
    price in ticks. `stages` holds the breaker's, as the engine takes them: [fall in parts per
    million, further fall, halt in ns, auction in ns, whether it closes]. The days of its `calendar`
    begin by `scheduled_to`; `defined_sequence` as of an instrument.
    """

    id = models.PositiveSmallIntegerField(primary_key=True)
    name = models.CharField(max_length=24, unique=True)
    calendar = models.CharField(max_length=8, choices=Calendar.choices)
    constituents = models.JSONField()
    stages = models.JSONField()
    hold_ns = models.BigIntegerField()
    quiet_ns = models.BigIntegerField()
    defined_sequence = models.BigIntegerField(null=True)
    scheduled_to = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="listings_segment_bounds",
                condition=Q(
                    id__gt=0, hold_ns__gte=0, quiet_ns__gte=0, calendar__in=Calendar.values
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def definition(self) -> DefineSegment:
        """Return what the engine is told of this row."""
        return DefineSegment(
            segment=self.id,
            constituents=tuple((number, weight) for number, weight in self.constituents),
            stages=tuple(BreakerStage(*stage) for stage in self.stages),
            hold_ns=self.hold_ns,
            quiet_ns=self.quiet_ns,
        )


class TradingSession(models.Model):
    """One day of a calendar, by the trade date, from its opening to its close.

    The opening auction comes before it, the closing auction within (`calendars`).
    """

    calendar = models.CharField(max_length=8, choices=Calendar.choices)
    date = models.DateField()
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["calendar", "date"], name="listings_session_one_a_day"),
            models.CheckConstraint(
                name="listings_session_ends", condition=Q(closes_at__gt=F("opens_at"))
            ),
        ]
        indexes = [models.Index(fields=["calendar", "opens_at"])]

    def __str__(self) -> str:
        return f"{self.calendar} {self.date}"

"""Tables of listed instruments and of the sessions of their calendars."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from compliance.fields import UnitsField
from matching.protocol.commands import DefineInstrument
from matching.protocol.units import PARTS_PER_MILLION, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX, Phase


class InstrumentPhase(models.IntegerChoices):
    """The engine's phases, as last seen in its events."""

    CLOSED = Phase.CLOSED, "closed"
    CONTINUOUS = Phase.CONTINUOUS, "continuous"
    HALTED = Phase.HALTED, "halted"


class Calendar(models.TextChoices):
    """When an instrument trades: always, or in the sessions of an exchange (ISO 10383 code)."""

    ROUND_THE_CLOCK = "24h"
    XKRX = "XKRX"


class Instrument(models.Model):
    """A market: what is traded, in which steps and within which bounds.

    Prices are quoted per `unit` of the base asset, quantities in `unit`; tick and lot are decimal
    amounts of quote asset and unit. The engine speaks only of ticks and lots; `tick_table` holds
    its [from price, step] pairs. A band bound of 0 means none; the bounds follow from base price
    and `band_ppm`. `phase` follows the engine's events and is for show: the engine decides.
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
    phase = models.PositiveSmallIntegerField(
        choices=InstrumentPhase.choices, default=InstrumentPhase.CLOSED
    )
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
        )


class TradingSession(models.Model):
    """One day of a calendar, by the trade date; instruments of it trade from open to close."""

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

"""Tables of listed instruments."""

from django.db import models
from django.db.models import F, Q

from compliance.fields import UnitsField
from matching.protocol.units import PARTS_PER_MILLION, PRICE_TICKS_MAX, QUANTITY_LOTS_MAX, Phase


class InstrumentPhase(models.IntegerChoices):
    """The engine's phases, as last seen in its events."""

    CLOSED = Phase.CLOSED, "closed"
    CONTINUOUS = Phase.CONTINUOUS, "continuous"
    HALTED = Phase.HALTED, "halted"


class Instrument(models.Model):
    """A market: what is traded, in which steps and within which bounds.

    Prices are quoted per `unit` of the base asset, quantities in `unit`; tick and lot are decimal
    amounts of quote asset and unit. The engine speaks only of ticks and lots. A band bound of 0
    means none. `phase` follows the engine's events and is for show: the engine decides.
    `defined_sequence` is empty while the engine has not been told of this row's last change.
    """

    id = models.PositiveSmallIntegerField(primary_key=True)
    symbol = models.CharField(max_length=24, unique=True)
    base_asset = models.ForeignKey("custody.Asset", models.PROTECT, related_name="+")
    quote_asset = models.ForeignKey("custody.Asset", models.PROTECT, related_name="+")
    unit = models.CharField(max_length=8)
    tick_size = models.DecimalField(max_digits=30, decimal_places=12)
    lot_size = models.DecimalField(max_digits=30, decimal_places=12)
    base_units_per_lot = UnitsField()
    quote_units_per_tick_lot = UnitsField()
    instrument_class = models.PositiveIntegerField()
    quantity_lots_max = models.BigIntegerField()
    price_ticks_low = models.BigIntegerField(default=0)
    price_ticks_high = models.BigIntegerField(default=0)
    maker_fee_ppm = models.IntegerField(default=0)
    taker_fee_ppm = models.IntegerField(default=0)
    phase = models.PositiveSmallIntegerField(
        choices=InstrumentPhase.choices, default=InstrumentPhase.CLOSED
    )
    phase_sequence = models.BigIntegerField(default=0)
    defined_sequence = models.BigIntegerField(null=True)
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
        ]

    def __str__(self) -> str:
        return self.symbol

"""Tables of public market data: candles, and how far the follower has written them.

Instruments are the engine's numbers, without foreign keys: what happened is never refused because
of another table.
"""

from django.db import models
from django.db.models import F, Q

from compliance.fields import UnitsField
from exchange.marketdata.candles import INTERVALS_S


class Candle(models.Model):
    """The trades of one interval; `begin_s` is in Unix seconds, prices are in ticks."""

    pk = models.CompositePrimaryKey("instrument", "interval_s", "begin_s")
    instrument = models.PositiveSmallIntegerField()
    interval_s = models.PositiveIntegerField()
    begin_s = models.BigIntegerField()
    open_ticks = models.BigIntegerField()
    high_ticks = models.BigIntegerField()
    low_ticks = models.BigIntegerField()
    close_ticks = models.BigIntegerField()
    volume_lots = models.BigIntegerField()
    quote_units = UnitsField()
    trades = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="marketdata_candle_prices",
                condition=Q(
                    low_ticks__gt=0,
                    open_ticks__range=(F("low_ticks"), F("high_ticks")),
                    close_ticks__range=(F("low_ticks"), F("high_ticks")),
                ),
            ),
            models.CheckConstraint(
                name="marketdata_candle_volume",
                condition=Q(
                    interval_s__in=list(INTERVALS_S.values()),
                    trades__gt=0,
                    volume_lots__gte=F("trades"),
                    quote_units__gt=0,
                ),
            ),
        ]


class CandlePosition(models.Model):
    """The one row that says up to which sequence number candles are written."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="marketdata_candleposition_single", condition=Q(id=1)),
        ]

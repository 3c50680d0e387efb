"""Candles in PostgreSQL: written with the position behind them in one transaction, and read.

What must not live here: what a candle is (candles.py).
"""

from collections.abc import Collection
from dataclasses import fields
from operator import attrgetter

from django.db import connection, transaction

from exchange.marketdata.candles import CandleRecord
from exchange.marketdata.models import Candle, CandlePosition

_COLUMNS = tuple(field.name for field in fields(CandleRecord))
_values = attrgetter(*_COLUMNS)
_TABLE = Candle._meta.db_table
_KEY = ("instrument", "interval_s", "begin_s")
_WRITE = (
    f"INSERT INTO {_TABLE} ({', '.join(_COLUMNS)}) SELECT * FROM unnest("
    + ", ".join(["%s::bigint[]"] * len(_COLUMNS))
    + f") ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name not in _KEY)
)


class ArchiveFault(Exception):
    """The archive does not stand where this follower left it: another one writes to it."""


def position_read() -> int:
    """Return the sequence number up to which candles are written."""
    return CandlePosition.objects.values_list("sequence", flat=True).get(id=1)


def latest_read() -> list[CandleRecord]:
    """Return the last candle of each instrument and interval, which later trades may change."""
    rows = Candle.objects.order_by("instrument", "interval_s", "-begin_s")
    last = rows.distinct("instrument", "interval_s").values_list(*_COLUMNS)
    return [CandleRecord(*row) for row in last]


def write(candles: Collection[CandleRecord], *, before: int, after: int) -> None:
    """Write candles and the position in one transaction. Raises `ArchiveFault`."""
    with transaction.atomic():
        moved = CandlePosition.objects.filter(sequence=before).update(sequence=after)
        if not moved:
            raise ArchiveFault(f"candles stand at {position_read()}, expected {before}")
        if candles:
            columns = [list(column) for column in zip(*map(_values, candles), strict=True)]
            with connection.cursor() as cursor:
                cursor.execute(_WRITE, columns)


def candles_read(
    instrument: int, interval_s: int, *, since_s: int | None, until_s: int | None, limit: int
) -> list[CandleRecord]:
    """Return candles that begin from `since_s` on and before `until_s`, newest first."""
    rows = Candle.objects.filter(instrument=instrument, interval_s=interval_s)
    if since_s is not None:
        rows = rows.filter(begin_s__gte=since_s)
    if until_s is not None:
        rows = rows.filter(begin_s__lt=until_s)
    found = rows.order_by("-begin_s").values_list(*_COLUMNS)[:limit]
    return [CandleRecord(*row) for row in found]

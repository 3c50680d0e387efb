"""Candles of all intervals, from fills alone. Pure: no clock, no database.

Intervals begin where they do in Asia/Seoul, so that a day is a trade date; Korea keeps one time all
year round. An interval without a trade has no candle.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from matching.protocol.events import Filled

NS_PER_S = 10**9
SEOUL_S = 9 * 3600
INTERVALS_S: Mapping[str, int] = MappingProxyType(
    {
        "1m": 60,
        "3m": 180,
        "5m": 300,
        "15m": 900,
        "30m": 1_800,
        "1h": 3_600,
        "4h": 14_400,
        "1d": 86_400,
    }
)


@dataclass(slots=True)
class CandleRecord:
    """A candle's columns, in the order of the table `marketdata_candle`.

    `begin_s` is in Unix seconds; prices are in ticks, volume in lots and quote units.
    """

    instrument: int
    interval_s: int
    begin_s: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    quote_units: int
    trades: int


def candle_begin(time_ns: int, interval_s: int) -> int:
    """Return in Unix seconds when the interval begins that a time lies in."""
    seconds = time_ns // NS_PER_S + SEOUL_S
    return seconds - seconds % interval_s - SEOUL_S


class Candles:
    """Folds fills into candles; `changed` collects those to write, and the caller empties it.

    The engine's time never runs backwards, so that only the last candle of each interval changes.
    """

    def __init__(self, latest: Iterable[CandleRecord] = ()) -> None:
        self._latest = {(each.instrument, each.interval_s): each for each in latest}
        self.changed: dict[tuple[int, int, int], CandleRecord] = {}

    def add(self, fill: Filled, time_ns: int) -> None:
        """Take in a fill."""
        price = fill.price_ticks
        for interval_s in INTERVALS_S.values():
            begin_s = candle_begin(time_ns, interval_s)
            name = (fill.instrument, interval_s)
            candle = self._latest.get(name)
            if candle is None or candle.begin_s != begin_s:
                candle = self._latest[name] = CandleRecord(
                    *name, begin_s, price, price, price, price, 0, 0, 0
                )
            candle.high_ticks = max(candle.high_ticks, price)
            candle.low_ticks = min(candle.low_ticks, price)
            candle.close_ticks = price
            candle.volume_lots += fill.quantity_lots
            candle.quote_units += fill.quote_units
            candle.trades += 1
            self.changed[*name, begin_s] = candle

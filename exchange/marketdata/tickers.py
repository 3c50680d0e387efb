"""Trades and the figures of the last 24 hours, from fills alone. Pure: the caller brings the time.

A minute is one bar; the window moves by whole minutes.
"""

import msgspec

from matching.protocol.events import Filled
from matching.protocol.units import FillKind

# What was made elsewhere, or undoes an error, says nothing about the price here.
PRICING = frozenset({FillKind.CONTINUOUS, FillKind.AUCTION, FillKind.MIDPOINT})
MINUTE_NS = 60 * 10**9
WINDOW_MINUTES = 24 * 60


class Trade(msgspec.Struct, frozen=True, array_like=True):
    """A public trade; `taker_side` and `kind` as in `matching.protocol.units`."""

    fill_id: int
    time_ns: int
    price_ticks: int
    quantity_lots: int
    quote_units: int
    taker_side: int
    kind: int


class Bar(msgspec.Struct, array_like=True):
    """Prices in ticks, volume in lots and quote units, of the trades of one minute."""

    minute: int
    first: int
    high: int
    low: int
    last: int
    volume_lots: int
    quote_units: int
    trades: int


class Ticker(msgspec.Struct, frozen=True, array_like=True):
    """Figures of the last 24 hours; prices are 0 before the first trade ever or in the window."""

    last: int
    first: int
    high: int
    low: int
    volume_lots: int
    quote_units: int
    trades: int


class Window:
    """One instrument's last 24 hours; `last` is the last price ever."""

    def __init__(self, bars: list[Bar] | None = None, last: int = 0) -> None:
        self.bars = {bar.minute: bar for bar in sorted(bars or [], key=lambda bar: bar.minute)}
        self.last = last

    def add(self, fill: Filled, time_ns: int) -> Bar:
        """Take in a fill; return the bar that it changed."""
        minute, price = time_ns // MINUTE_NS, fill.price_ticks
        bar = self.bars.get(minute)
        if bar is None:
            bar = self.bars[minute] = Bar(minute, price, price, price, price, 0, 0, 0)
        bar.high, bar.low, bar.last = max(bar.high, price), min(bar.low, price), price
        bar.volume_lots += fill.quantity_lots
        bar.quote_units += fill.quote_units
        bar.trades += 1
        self.last = price
        return bar

    def drop_before(self, now_ns: int) -> list[int]:
        """Forget bars that lie wholly before the window; return their minutes."""
        oldest = now_ns // MINUTE_NS - WINDOW_MINUTES + 1
        gone = [minute for minute in self.bars if minute < oldest]
        for minute in gone:
            del self.bars[minute]
        return gone

    def ticker(self) -> Ticker:
        """Return the figures over the bars that are there."""
        bars = list(self.bars.values())
        if not bars:
            return Ticker(self.last, 0, 0, 0, 0, 0, 0)
        return Ticker(
            last=self.last,
            first=bars[0].first,
            high=max(bar.high for bar in bars),
            low=min(bar.low for bar in bars),
            volume_lots=sum(bar.volume_lots for bar in bars),
            quote_units=sum(bar.quote_units for bar in bars),
            trades=sum(bar.trades for bar in bars),
        )

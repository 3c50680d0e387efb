"""The market data follower: books, trades and tickers in Valkey, at most 50 ms behind, and candles.

Its position in Valkey stands with the data there; when either is gone, all is built again from the
journal. Candles stand in PostgreSQL with a position of their own, some tenths of a second behind:
the follower begins at the lesser of the two, and each side passes over what it has. Resting orders
come from the engine itself, so that the books need no history.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection

from exchange.api.times import now_ns
from exchange.marketdata import archive, store
from exchange.marketdata.books import Books
from exchange.marketdata.calls import Calls
from exchange.marketdata.candles import Candles
from exchange.marketdata.tickers import MINUTE_NS, PRICING, Trade, Window
from matching.client import EngineAddress, engine, follow
from matching.protocol.codec import StreamEntry
from matching.protocol.events import Filled
from matching.protocol.queries import GetInstruments, GetOpenOrders, Instruments, OpenOrders
from matching.protocol.units import FillKind, Side

FOLLOWER = "marketdata"
ARCHIVE_EVERY_S = 0.25
IDLE_MS = 250
GATHER_MS = 40

logger = logging.getLogger(__name__)


def marketdata_follow(address: EngineAddress, *, stopping: Callable[[], bool]) -> None:
    """Follow the engine until `stopping`; begin again from the journal when Valkey lost the data.

    Raises `EngineUnavailable`, `FollowFailed`, `redis.RedisError`, `ArchiveFault`, and database
    errors when it begins; run it again then.
    """
    while not stopping():
        try:
            _follow(address, stopping)
        except store.StateLost as error:
            logger.warning("%s: building market data again from the journal", error)
            store.erase()


def _follow(address: EngineAddress, stopping: Callable[[], bool]) -> None:
    position = store.position_read()
    if position is None:
        store.erase()
        store.position_begin()
        position = 0
    data, history = MarketData(position), CandleHistory()
    begin = min(position, history.position)
    for entry in follow(
        address,
        follower=FOLLOWER,
        after_sequence=begin,
        block_ms=IDLE_MS,
        gather_ms=GATHER_MS,
    ):
        if entry is not None:
            data.take(entry)
            history.take(entry)
        data.write(now_ns())
        history.write()
        if stopping():
            return


class CandleHistory:
    """The candles that the follower has in hand; `write` brings PostgreSQL up to them."""

    def __init__(self) -> None:
        """Begin where PostgreSQL stands."""
        self.position = self._taken = archive.position_read()
        self._candles = Candles(archive.latest_read())
        self._due_at = 0.0

    def take(self, entry: StreamEntry) -> None:
        """Take in what of an entry is not in PostgreSQL."""
        for applied in entry.applied:
            if applied.sequence > self._taken:
                for event in applied.events:
                    if isinstance(event, Filled) and event.kind in PRICING:
                        self._candles.add(event, applied.time_ns)
        self._taken = max(self._taken, entry.last_sequence)

    def write(self) -> None:
        """Write what changed, now and then; without a database, later. Raises `ArchiveFault`."""
        changed = self._candles.changed
        if self._taken == self.position or time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + ARCHIVE_EVERY_S
        try:
            archive.write(changed.values(), before=self.position, after=self._taken)
        except (OperationalError, InterfaceError) as error:
            logger.warning("database lost (%s): candles wait", error)
            connection.close()
            return
        self.position = self._taken
        changed.clear()


class MarketData:
    """What the follower holds in memory; `write` brings Valkey up to it."""

    def __init__(self, position: int) -> None:
        """Begin behind `position` with what Valkey holds of it and the engine's resting orders."""
        instruments, resting = engine().ask(GetInstruments()), engine().ask(GetOpenOrders())
        assert isinstance(instruments, Instruments) and isinstance(resting, OpenOrders)
        self.books = Books(resting.orders, resting.sequence)
        known = [state.definition.instrument for state in instruments.instruments]
        self.books.dirty.update(known)
        self._windows: dict[int, Window] = defaultdict(Window)
        for instrument in known:
            ticker = store.ticker_read(instrument)
            self._windows[instrument] = Window(store.bars_read(instrument), ticker.last)
        self._calls = Calls({number: store.call_read(number) for number in known})
        self._position = self._taken = position
        self._minute = 0
        self._update = store.Update()
        self._traded: set[int] = set()

    def take(self, entry: StreamEntry) -> None:
        """Take in one batch of the engine."""
        for applied in entry.applied:
            self.books.apply(applied)
            if applied.sequence <= self._taken:
                continue
            for event in applied.events:
                if isinstance(event, Filled):
                    self._trade(event, applied.time_ns)
                else:
                    self._calls.take(event, applied.time_ns)
        self._taken = max(self._taken, entry.last_sequence)

    def _trade(self, fill: Filled, time_ns: int) -> None:
        if fill.kind == FillKind.EXTERNAL:
            return
        instrument = fill.instrument
        trade = Trade(
            fill.fill_id,
            time_ns,
            fill.price_ticks,
            fill.quantity_lots,
            fill.quote_units,
            fill.taker_side,
            fill.kind,
        )
        self._update.trades.setdefault(instrument, []).append(trade)
        if fill.kind not in PRICING:
            return
        bar = self._windows[instrument].add(fill, time_ns)
        self._update.bars.setdefault(instrument, {})[bar.minute] = bar
        self._traded.add(instrument)

    def write(self, time_ns: int) -> None:
        """Write what changed, if anything did. Raises `StateLost`, `redis.RedisError`."""
        update = self._update
        if time_ns // MINUTE_NS != self._minute:
            self._minute = time_ns // MINUTE_NS
            self._windows_move(time_ns)
        if self._taken == self._position and not (self.books.dirty or self._traded):
            return
        for instrument in self.books.dirty:
            update.books[instrument] = store.StoredBook(
                self.books.sequence,
                self.books.levels(instrument, Side.BUY, store.DEPTH_MAX),
                self.books.levels(instrument, Side.SELL, store.DEPTH_MAX),
            )
        for instrument in self._calls.changed:
            update.calls[instrument] = self._calls.known[instrument]
        for instrument in self._traded:
            update.tickers[instrument] = self._windows[instrument].ticker()
        for instrument, trades in update.trades.items():
            update.trades[instrument] = trades[-store.TRADES_MAX :]
        store.write(update, before=self._position, after=self._taken)
        self._position = self._taken
        self._update = store.Update()
        self.books.dirty.clear()
        self._calls.changed.clear()
        self._traded.clear()

    def _windows_move(self, time_ns: int) -> None:
        for instrument, window in self._windows.items():
            gone = window.drop_before(time_ns)
            if gone:
                self._update.bars_gone[instrument] = gone
                self._traded.add(instrument)
                pending = self._update.bars.get(instrument, {})
                for minute in gone:
                    pending.pop(minute, None)
                if not pending:
                    self._update.bars.pop(instrument, None)

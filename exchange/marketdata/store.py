"""Public market data in Valkey: what is kept, under which keys, in which form.

All of it can be had again from the engine and its journal. What must not live here: orders' owners.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from exchange.api.valkey import key, valkey
from exchange.marketdata.books import Level
from exchange.marketdata.calls import NO_CALL, Call
from exchange.marketdata.tickers import Bar, Ticker, Trade

DEPTH_MAX = 200
TRADES_MAX = 1_000
NO_TICKER = Ticker(0, 0, 0, 0, 0, 0, 0)

_encode = msgspec.msgpack.encode


class StoredBook(msgspec.Struct, frozen=True, array_like=True):
    """Levels of both sides, best first, as they were after the command numbered `sequence`."""

    sequence: int
    bids: list[Level]
    asks: list[Level]


class StateLost(Exception):
    """Valkey does not hold what was last written: it was flushed, or another follower writes."""


_book_decode: Callable[[Any], StoredBook] = msgspec.msgpack.Decoder(StoredBook).decode
_trade_decode: Callable[[Any], Trade] = msgspec.msgpack.Decoder(Trade).decode
_bar_decode: Callable[[Any], Bar] = msgspec.msgpack.Decoder(Bar).decode
_ticker_decode: Callable[[Any], Ticker] = msgspec.msgpack.Decoder(Ticker).decode
_call_decode: Callable[[Any], Call] = msgspec.msgpack.Decoder(Call).decode


class Update(msgspec.Struct):
    """What one write changes, by instrument; `trades` oldest first, `bars_gone` are minutes."""

    books: dict[int, StoredBook] = {}
    trades: dict[int, list[Trade]] = {}
    bars: dict[int, dict[int, Bar]] = {}
    bars_gone: dict[int, list[int]] = {}
    tickers: dict[int, Ticker] = {}
    calls: dict[int, Call] = {}


def position_read() -> int | None:
    """Return the sequence number up to which market data are written; None when there are none."""
    found = valkey().get(key("marketdata", "position"))
    return None if found is None else int(found)


def erase() -> None:
    """Remove all market data of this instance."""
    client = valkey()
    names = list(client.scan_iter(match=key("marketdata", "*"), count=1_000))
    if names:
        client.delete(*names)


def write(update: Update, *, before: int, after: int) -> None:
    """Write an update and the new position at once.

    Raises `StateLost`; what was written then is no good, and the caller erases it and starts again.
    """
    pipeline = valkey().pipeline(transaction=True)
    pipeline.get(key("marketdata", "position"))
    for instrument, book in update.books.items():
        pipeline.set(_key("book", instrument), _encode(book))
    for instrument, trades in update.trades.items():
        pipeline.lpush(_key("trades", instrument), *(_encode(trade) for trade in trades))
        pipeline.ltrim(_key("trades", instrument), 0, TRADES_MAX - 1)
    for instrument, bars in update.bars.items():
        changed: dict[Any, Any] = {minute: _encode(bar) for minute, bar in bars.items()}
        pipeline.hset(_key("bars", instrument), mapping=changed)
    for instrument, minutes in update.bars_gone.items():
        pipeline.hdel(_key("bars", instrument), *map(str, minutes))
    for instrument, ticker in update.tickers.items():
        pipeline.set(_key("ticker", instrument), _encode(ticker))
    for instrument, call in update.calls.items():
        pipeline.set(_key("call", instrument), _encode(call))
    pipeline.set(key("marketdata", "position"), after)
    found = pipeline.execute()[0]
    if found is None or int(found) != before:
        raise StateLost(f"market data stood at {found!r}, expected {before}")


def position_begin() -> None:
    """Write position 0, from which all is built again."""
    valkey().set(key("marketdata", "position"), 0)


def book_read(instrument: int) -> StoredBook:
    """Return an instrument's book; an empty one before its first order."""
    found = valkey().get(_key("book", instrument))
    return _book_decode(found) if found else StoredBook(position_read() or 0, [], [])


def trades_read(instrument: int, limit: int, *, before: int | None = None) -> list[Trade]:
    """Return an instrument's last trades, newest first, with ids below `before`.

    No more than the last `TRADES_MAX` are kept.
    """
    last = limit if before is None else TRADES_MAX
    found = [
        _trade_decode(each) for each in valkey().lrange(_key("trades", instrument), 0, last - 1)
    ]
    return [trade for trade in found if before is None or trade.fill_id < before][:limit]


def bars_read(instrument: int) -> list[Bar]:
    """Return an instrument's bars of the last 24 hours."""
    return [_bar_decode(each) for each in valkey().hvals(_key("bars", instrument))]


def ticker_read(instrument: int) -> Ticker:
    """Return an instrument's figures of the last 24 hours."""
    found = valkey().get(_key("ticker", instrument))
    return _ticker_decode(found) if found else NO_TICKER


def call_read(instrument: int) -> Call:
    """Return an instrument's phase and what is known of its auctions."""
    found = valkey().get(_key("call", instrument))
    return _call_decode(found) if found else NO_CALL


def tickers_read(instruments: Sequence[int]) -> list[tuple[Ticker, StoredBook]]:
    """Return figures and book of each instrument, all of one moment."""
    names = [_key(kind, number) for number in instruments for kind in ("ticker", "book")]
    found: list[Any] = valkey().mget(names) if names else []
    return [
        (
            _ticker_decode(ticker) if ticker else NO_TICKER,
            _book_decode(book) if book else StoredBook(0, [], []),
        )
        for ticker, book in zip(found[::2], found[1::2], strict=True)
    ]


def _key(kind: str, instrument: int) -> str:
    return key("marketdata", kind, str(instrument))

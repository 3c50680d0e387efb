"""What the public resources give; prices, quantities and amounts are decimal strings."""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.api.pages import PageQuery
from exchange.api.times import Moment
from exchange.marketdata.store import DEPTH_MAX

CANDLES_MAX = 500
IntervalName = Literal["1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d"]
PhaseName = Literal["closed", "continuous", "halted"]


class TickBand(msgspec.Struct, frozen=True):
    """Prices from `from_price` on are multiples of `step`."""

    from_price: str
    step: str


class Market(msgspec.Struct, frozen=True):
    """A listed instrument; prices are in `quote_asset` per `unit`, quantities in `unit`.

    Prices are multiples of `tick_size`, and of the step of their band where `tick_table` has bands.
    Fees are parts per million of the amount traded; a negative one is paid to the maker.
    `calendar` is 24h, or the ISO 10383 code of the exchange whose sessions the market keeps.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    unit: str
    tick_size: str
    tick_table: list[TickBand]
    lot_size: str
    quantity_max: str
    base_price: str | None
    price_low: str | None
    price_high: str | None
    maker_fee_ppm: int
    taker_fee_ppm: int
    calendar: str
    phase: PhaseName


class Markets(msgspec.Struct, frozen=True):
    markets: list[Market]


class BookQuery(Strict, frozen=True):
    depth: Annotated[int, msgspec.Meta(ge=1, le=DEPTH_MAX)] = 20


class BookLevel(msgspec.Struct, frozen=True):
    price: str
    quantity: str
    orders: int


class Book(msgspec.Struct, frozen=True):
    """The order book by price, best first, after the command numbered `sequence`."""

    symbol: str
    sequence: str
    bids: list[BookLevel]
    asks: list[BookLevel]


class TradesQuery(PageQuery, frozen=True):
    """Pages reach as far back as the last 1,000 trades."""


class PublicTrade(msgspec.Struct, frozen=True):
    trade_id: str
    price: str
    quantity: str
    amount: str
    taker_side: Literal["buy", "sell"]
    traded_at: str


class Trades(msgspec.Struct, frozen=True):
    """The last trades, newest first."""

    symbol: str
    trades: list[PublicTrade]
    next_cursor: str | None


class CandlesQuery(Strict, frozen=True, rename={"since": "from", "until": "to"}):
    """Candles that begin from one time on (included) and before another (not included)."""

    interval: IntervalName = "1m"
    since: Moment | None = None
    until: Moment | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=CANDLES_MAX)] = 100


class Candle(msgspec.Struct, frozen=True):
    """The trades of one interval; `volume` is of the base asset, `amount` of the quote asset."""

    begin: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    amount: str
    trades: int


class Candles(msgspec.Struct, frozen=True):
    """Candles, newest first; an interval without a trade has none, and the last may still change.

    Intervals begin as they do in Asia/Seoul: a day is a trade date. For the page after, send the
    `begin` of the last one as `to`.
    """

    symbol: str
    interval: IntervalName
    candles: list[Candle]


class MarketTicker(msgspec.Struct, frozen=True):
    """Figures of the last 24 hours; null before there is a trade to take them from."""

    symbol: str
    last: str | None
    open: str | None
    high: str | None
    low: str | None
    change: str | None
    volume: str
    amount: str
    trades: int
    bid: str | None
    ask: str | None


class Tickers(msgspec.Struct, frozen=True):
    """The figures of all markets."""

    tickers: list[MarketTicker]


class MarketPhase(msgspec.Struct, frozen=True):
    symbol: str
    phase: PhaseName


class ServiceStatus(msgspec.Struct, frozen=True):
    """Whether orders are taken, and each market's phase (the last known without the engine).

    `sequence` is the number of the last command applied.
    """

    engine: Literal["ok", "unavailable"]
    sequence: str | None
    markets: list[MarketPhase]


class ServerTime(msgspec.Struct, frozen=True):
    """This server's clock; `unix` is what `iat` is compared with."""

    time: str
    unix: int

"""What the public resources give; prices, quantities and amounts are decimal strings."""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.api.pages import PageQuery
from exchange.api.times import Moment
from exchange.marketdata.store import DEPTH_MAX

CANDLES_MAX = 500
IntervalName = Literal["1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d"]
PhaseName = Literal[
    "closed",
    "opening_auction",
    "continuous",
    "volatility_auction",
    "halted",
    "closing_auction",
    "continuous_24h",
]


class TickBand(msgspec.Struct, frozen=True):
    """Prices from `from_price` on are multiples of `step`."""

    from_price: str
    step: str


class FeeTier(msgspec.Struct, frozen=True):
    """Rates in parts per million, for who traded `volume` of the quote asset in 30 days."""

    tier: int
    volume: str
    maker_fee_ppm: int
    taker_fee_ppm: int


class Market(msgspec.Struct, frozen=True):
    """A listed instrument; prices are in `quote_asset` per `unit`, quantities in `unit`.

    Prices are multiples of `tick_size`, and of the step of their band where `tick_table` has bands.
    Fees are parts per million of the amount traded; a negative one is paid to the maker.
    An order is worth `value_max` at most, and no further than `collar_ppm` through the reference
    price. A trade `dynamic_ppm` (`closing_dynamic_ppm` as the closing auction ends) or more from
    the last one, or `static_ppm` from the last auction's price, is interrupted by an auction of
    `volatility_auction_s`; auctions end at random up to `random_end_s` later. 0 is no such rule.
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
    fee_tiers: list[FeeTier]
    value_max: str | None
    collar_ppm: int
    dynamic_ppm: int
    closing_dynamic_ppm: int
    static_ppm: int
    volatility_auction_s: int
    random_end_s: int
    allocation: Literal["price_time", "pro_rata"]
    calendar: str
    phase: PhaseName
    phase_ends_at: str | None


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


class Interruption(msgspec.Struct, frozen=True):
    """A trade at `price` was kept back: too far from `reference_price`.

    That is the last auction's price (static) or the last trade's (dynamic).
    """

    cause: Literal["static", "dynamic"]
    price: str
    reference_price: str
    interrupted_at: str


class Auction(msgspec.Struct, frozen=True):
    """A market's call auctions: the one that is on, how the last one ended, and interruptions.

    `indicative_price` and `indicative_quantity` are what the auction would trade if it ended now,
    `surplus_quantity` what would be left on `surplus_side`. An auction ends at `phase_ends_at` or
    up to `random_end_s` of its market later. Null is what there is not.
    """

    symbol: str
    phase: PhaseName
    phase_ends_at: str | None
    indicative_price: str | None
    indicative_quantity: str | None
    surplus_quantity: str | None
    surplus_side: Literal["buy", "sell"] | None
    last_price: str | None
    last_quantity: str | None
    last_at: str | None
    interruption: Interruption | None


class BreakerStage(msgspec.Struct, frozen=True):
    """Trips when the index has stood `fall_ppm` below its base, and `further_ppm` below the stage
    before, for the segment's `hold_s`; then trading halts and an auction follows, or it `closes`.
    """

    fall_ppm: int
    further_ppm: int
    halt_s: int
    auction_s: int
    closes: bool


class Constituent(msgspec.Struct, frozen=True):
    symbol: str
    weight: int


class Segment(msgspec.Struct, frozen=True):
    """Markets with a circuit breaker of their own.

    `index` is the sum of weight times reference price in ticks, `base_index` what it was as the day
    began (null before the first one); `stage` is the last that tripped today.
    """

    name: str
    markets: list[Constituent]
    index: str
    base_index: str | None
    change_ppm: int | None
    stage: int
    stages: list[BreakerStage]
    hold_s: int
    quiet_s: int
    closes_at: str | None


class Segments(msgspec.Struct, frozen=True):
    """All segments as the engine has them after the command numbered `sequence`."""

    segments: list[Segment]
    sequence: str


class TradesQuery(PageQuery, frozen=True):
    """Pages reach as far back as the last 1,000 trades."""


class PublicTrade(msgspec.Struct, frozen=True):
    """A trade; one that is `compensating` undoes an error and makes no price."""

    trade_id: str
    price: str
    quantity: str
    amount: str
    taker_side: Literal["buy", "sell"]
    kind: Literal["continuous", "auction", "midpoint", "compensating"]
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
    """`stopped` says that officers let nobody order here; null while the engine cannot say."""

    symbol: str
    phase: PhaseName
    phase_ends_at: str | None
    stopped: bool | None


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

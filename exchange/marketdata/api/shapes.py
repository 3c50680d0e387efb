"""What the public resources give; prices, quantities and amounts are decimal strings."""

from typing import Annotated, Literal

import msgspec

from exchange.api.decoding import Strict
from exchange.marketdata.store import DEPTH_MAX, TRADES_MAX


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
    phase: Literal["closed", "continuous", "halted"]


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


class TradesQuery(Strict, frozen=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=TRADES_MAX)] = 50


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


class ServerTime(msgspec.Struct, frozen=True):
    """This server's clock; `unix` is what `iat` is compared with."""

    time: str
    unix: int

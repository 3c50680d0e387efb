"""The nine markets and two segments that a new instance lists; docs name the figures' sources.

Lots, the metals' ticks, fees and their tiers, collars, largest values of an order, how far metals
may jump and the indices' weights are the venue's own choice, and so is all about the building's
shares but for what holds for every equity. 5 kg of gold an order and a band of 10 % are those of
the KRX gold market; the equity's ticks and band of 30 %, its volatility interruptions (large
issues) and the building's (others), and the securities' circuit breaker those of KRX equities
(global.krx.co.kr).
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from django.conf import settings

from exchange.listings.models import Calendar
from exchange.listings.references import price_round, reference_months, reference_prices
from exchange.listings.services import Listing, SegmentListing
from matching.protocol.commands import BreakerStage
from matching.protocol.units import InstrumentClass

KRX_TICKS = (
    (0, 1),
    (2_000, 5),
    (5_000, 10),
    (20_000, 50),
    (50_000, 100),
    (200_000, 500),
    (500_000, 1_000),
)
EQUITY, BUILDING = "GDC-KRW", "CTB-KRW"
MINUTE_NS = 60 * 10**9
KRX_BREAKER = (
    BreakerStage(80_000, 0, 20 * MINUTE_NS, 10 * MINUTE_NS),
    BreakerStage(150_000, 10_000, 20 * MINUTE_NS, 10 * MINUTE_NS),
    BreakerStage(200_000, 10_000, 0, 0, closes=True),
)


def _metal(number: int, code: str, unit: str, tick: int, lot: str, quantity_max: int) -> Listing:
    return Listing(
        id=number,
        symbol=f"{code}-KRW",
        base_asset=code,
        quote_asset="KRW",
        unit=unit,
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        instrument_class=InstrumentClass.METAL,
        quantity_max=Decimal(quantity_max),
        band=Decimal("0.10"),
        maker_fee_ppm=100,
        taker_fee_ppm=300,
        fee_tiers=((80, 250), (40, 200), (-20, 150)),
        value_max=Decimal(2_000_000_000),
        collar=Decimal("0.10"),
        dynamic=Decimal("0.06"),
        volatility_auction_s=120,
        random_end_s=30,
    )


def _share(number: int, symbol: str, tick: int, quantity_max: int, taker_fee_ppm: int) -> Listing:
    return Listing(
        id=number,
        symbol=symbol,
        base_asset=symbol.partition("-")[0],
        quote_asset="KRW",
        unit="share",
        tick_size=Decimal(tick),
        lot_size=Decimal(1),
        instrument_class=InstrumentClass.SECURITY,
        quantity_max=Decimal(quantity_max),
        band=Decimal("0.30"),
        maker_fee_ppm=50,
        taker_fee_ppm=taker_fee_ppm,
        fee_tiers=tuple(
            (maker, taker_fee_ppm - less) for maker, less in ((40, 20), (20, 40), (-10, 60))
        ),
        value_max=Decimal(10_000_000_000),
        collar=Decimal("0.15"),
        dynamic=Decimal("0.06"),
        closing_dynamic=Decimal("0.04"),
        static=Decimal("0.10"),
        volatility_auction_s=120,
        random_end_s=30,
        calendar=Calendar.XKRX,
    )


DEFAULTS = (
    _metal(1, "XAU", "g", 10, "0.01", 5_000),
    _metal(2, "XAG", "g", 1, "1", 500_000),
    _metal(3, "XPT", "g", 10, "0.01", 5_000),
    _metal(4, "XPD", "g", 10, "0.01", 5_000),
    _metal(5, "CU", "kg", 1, "0.1", 50_000),
    _metal(6, "NI", "kg", 1, "0.1", 20_000),
    _metal(7, "SN", "kg", 1, "0.1", 10_000),
    replace(
        _share(8, EQUITY, 1, 100_000, 150),
        tick_table=KRX_TICKS,
        dynamic=Decimal("0.03"),
        closing_dynamic=Decimal("0.02"),
    ),
    _share(9, BUILDING, 5, 50_000, 200),
)


def _segment(number: int, name: str, of: InstrumentClass, calendar: str) -> SegmentListing:
    """Return a segment whose index is the sum of its instruments' prices in KRW."""
    return SegmentListing(
        id=number,
        name=name,
        calendar=calendar,
        constituents=tuple(
            (listing.id, int(listing.tick_size))
            for listing in DEFAULTS
            if listing.instrument_class == of
        ),
        hold_ns=MINUTE_NS,
    )


SEGMENTS = (
    _segment(1, "metals", InstrumentClass.METAL, Calendar.ROUND_THE_CLOCK),
    replace(
        _segment(2, "securities", InstrumentClass.SECURITY, Calendar.XKRX),
        stages=KRX_BREAKER,
        quiet_ns=40 * MINUTE_NS,
    ),
)


def base_prices(month: str) -> dict[str, Decimal]:
    """Return the base price of each default market: a month's for metals, else as configured.

    Raises `KeyError` for a month without reference prices.
    """
    ticks = {listing.symbol: listing.tick_size for listing in DEFAULTS}
    found = {
        symbol: price_round(price, ticks[symbol])
        for symbol, price in reference_prices(month).items()
    }
    return found | {
        EQUITY: settings.MARKETS_EQUITY_BASE_PRICE_KRW,
        BUILDING: settings.MARKETS_BUILDING_BASE_PRICE_KRW,
    }


def default_listings(given: Mapping[str, Decimal] | None = None) -> list[Listing]:
    """Return the default markets around the last month's prices, or around those given."""
    prices = base_prices(reference_months()[-1]) | dict(given or {})
    return [replace(listing, base_price=prices[listing.symbol]) for listing in DEFAULTS]

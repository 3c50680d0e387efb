"""Reference prices: the published table, exactly converted, and rounded once to the tick."""

from decimal import Decimal
from fractions import Fraction

import pytest
from pytest_django import Settings

from exchange.listings.defaults import DEFAULTS, base_prices, default_listings
from exchange.listings.references import price_round, reference_months, reference_prices
from exchange.listings.ticks import band_around

SYMBOLS = [f"{code}-KRW" for code in ["XAU", "XAG", "XPT", "XPD", "CU", "NI", "SN", "GDC", "CTB"]]


def test_table_runs_from_1990_without_a_gap() -> None:
    months = reference_months()
    assert (months[0], months[-1], len(months)) == ("1990-01", "2026-06", 438)
    assert months == [f"{1990 + at // 12}-{at % 12 + 1:02d}" for at in range(438)]


def test_prices_are_exact_when_converted(settings: Settings) -> None:
    settings.MARKETS_KRW_PER_USD = Decimal(1380)
    settings.MARKETS_PALLADIUM_USD_PER_TOZ = Decimal(1150)
    prices = reference_prices("2026-06")
    assert prices["XAU-KRW"] == Fraction(4228 * 1380 * 10**7, 311_034_768)
    assert prices["CU-KRW"] == Fraction(13552 * 1380, 1000) == Fraction("18701.76")
    assert prices["XPD-KRW"] == Fraction(1150 * 1380 * 10**7, 311_034_768)
    with pytest.raises(KeyError):
        reference_prices("1989-12")


def test_rate_and_palladium_are_those_configured(settings: Settings) -> None:
    settings.MARKETS_KRW_PER_USD = Decimal(1000)
    settings.MARKETS_PALLADIUM_USD_PER_TOZ = Decimal("311.034768")
    prices = reference_prices("2026-06")
    assert prices["SN-KRW"] == 53_037
    assert prices["XPD-KRW"] == 10_000


@pytest.mark.parametrize(
    ("price", "tick", "rounded"),
    [("187587.4", "10", "187590"), ("15", "10", "20"), ("25", "10", "20"), ("0.5", "0.01", "0.50")],
)
def test_price_is_rounded_to_the_nearest_tick(price: str, tick: str, rounded: str) -> None:
    assert price_round(Fraction(price), Decimal(tick)) == Decimal(rounded)


def test_nine_markets_stand_around_the_last_month(settings: Settings) -> None:
    settings.MARKETS_KRW_PER_USD = Decimal(1380)
    listed = {listing.symbol: listing for listing in default_listings()}
    assert list(listed) == SYMBOLS == [listing.symbol for listing in DEFAULTS]
    assert base_prices("2026-06")["XAU-KRW"] == Decimal(187590)
    assert {symbol: int(one.base_price or 0) for symbol, one in listed.items()} == {
        "XAU-KRW": 187_590,
        "XAG-KRW": 2_959,
        "XPT-KRW": 76_580,
        "XPD-KRW": 51_020,
        "CU-KRW": 18_702,
        "NI-KRW": 24_271,
        "SN-KRW": 73_191,
        "GDC-KRW": 71_500,
        "CTB-KRW": 5_000,
    }
    gold, share, building = listed["XAU-KRW"], listed["GDC-KRW"], listed["CTB-KRW"]
    assert (gold.calendar, share.calendar, building.calendar) == ("24h", "XKRX", "XKRX")
    assert band_around(18_759, int(gold.band * 10**6)) == (16_884, 20_634)
    assert band_around(1_000, int(building.band * 10**6)) == (700, 1_300)


def test_market_stands_around_another_price_when_one_is_given() -> None:
    gold, silver, *_ = default_listings({"XAU-KRW": Decimal(190_000)})
    assert (gold.base_price, silver.symbol) == (Decimal(190_000), "XAG-KRW")

"""Reference prices of the metals: what the world paid in a month, in KRW per unit of our markets.

From the World Bank's monthly prices (exchange/data), in dollars per troy ounce or tonne, and the
configured rate of the won; palladium, which the table lacks, is configured as well.
"""

import csv
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

from django.conf import settings

SOURCE = "World Bank Commodity Price Data (The Pink Sheet)"
PRICES = Path(__file__).parents[1] / "data" / "metal-prices-monthly.csv"
TROY_OUNCE_G = Fraction("31.1034768")  # exactly, since 1959
TONNE_KG = Fraction(1000)
COLUMNS = {
    "XAU-KRW": ("gold_usd_per_toz", TROY_OUNCE_G),
    "XAG-KRW": ("silver_usd_per_toz", TROY_OUNCE_G),
    "XPT-KRW": ("platinum_usd_per_toz", TROY_OUNCE_G),
    "CU-KRW": ("copper_usd_per_tonne", TONNE_KG),
    "NI-KRW": ("nickel_usd_per_tonne", TONNE_KG),
    "SN-KRW": ("tin_usd_per_tonne", TONNE_KG),
}
PALLADIUM = "XPD-KRW"


def reference_months() -> list[str]:
    """Return the months of the table as YYYY-MM, oldest first."""
    return list(_table())


def reference_prices(month: str) -> dict[str, Fraction]:
    """Return the exact KRW per gram or kilogram of each metal's market in a month.

    Raises `KeyError` for a month that the table lacks.
    """
    row = _table()[month]
    dollars = {symbol: Fraction(row[name]) / unit for symbol, (name, unit) in COLUMNS.items()}
    dollars[PALLADIUM] = Fraction(settings.MARKETS_PALLADIUM_USD_PER_TOZ) / TROY_OUNCE_G
    rate = Fraction(settings.MARKETS_KRW_PER_USD)
    return {symbol: price * rate for symbol, price in dollars.items()}


def price_round(price: Fraction, tick: Decimal) -> Decimal:
    """Return the multiple of the tick nearest to a price, the even one of two as near."""
    return round(price / Fraction(tick)) * tick


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    with PRICES.open(newline="") as file:
        return {row["month"]: row for row in csv.DictReader(file)}

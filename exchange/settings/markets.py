"""Settings of the markets: figures for which the project has no published source, and says so.

Each is said to be configured wherever it is shown. Prices in KRW or US dollars.
"""

import os
from decimal import Decimal


def _price(name: str, default: str) -> Decimal:
    return Decimal(os.environ.get(f"NEXUS_{name}", default))


# The monthly table of metal prices is in dollars and has no palladium.
MARKETS_KRW_PER_USD = _price("KRW_PER_USD", "1380")
MARKETS_PALLADIUM_USD_PER_TOZ = _price("PALLADIUM_USD_PER_TOZ", "1150")
# What a share is worth on its first day; from then on its own last price is the base.
MARKETS_EQUITY_BASE_PRICE_KRW = _price("EQUITY_BASE_PRICE_KRW", "71500")
MARKETS_BUILDING_BASE_PRICE_KRW = _price("BUILDING_BASE_PRICE_KRW", "5000")

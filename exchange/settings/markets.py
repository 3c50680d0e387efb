"""Settings of the markets: figures for which the project has no published source, and says so.

Each is said to be configured wherever it is shown. Prices in KRW or US dollars.
"""

import os
from datetime import timedelta
from decimal import Decimal


def _price(name: str, default: str) -> Decimal:
    return Decimal(os.environ.get(f"NEXUS_{name}", default))


def _minutes(name: str, default: str) -> timedelta:
    return timedelta(minutes=int(os.environ.get(f"NEXUS_{name}_MIN", default)))


# Call auctions before a session's opening and before its close, 08:30-09:00 and 15:20-15:30 on an
# ordinary day. Source: KRX (global.krx.co.kr).
MARKETS_OPENING_AUCTION = _minutes("OPENING_AUCTION", "30")
MARKETS_CLOSING_AUCTION = _minutes("CLOSING_AUCTION", "10")
# An auction ends by itself, within a random end and one extension. What it should have brought
# about by so long after its end is done by the schedule.
MARKETS_OVERDUE = _minutes("AUCTION_OVERDUE", "5")
# Whole KRW that a member's trades of 30 days come to from which fee tier 1, 2, ... holds.
MARKETS_FEE_TIER_VOLUMES_KRW = tuple(
    int(text)
    for text in os.environ.get(
        "NEXUS_FEE_TIER_VOLUMES_KRW", "1000000000,10000000000,100000000000"
    ).split(",")
)
# The monthly table of metal prices is in dollars and has no palladium.
MARKETS_KRW_PER_USD = _price("KRW_PER_USD", "1380")
MARKETS_PALLADIUM_USD_PER_TOZ = _price("PALLADIUM_USD_PER_TOZ", "1150")
# What a share is worth on its first day; from then on its own last price is the base.
MARKETS_EQUITY_BASE_PRICE_KRW = _price("EQUITY_BASE_PRICE_KRW", "71500")
MARKETS_BUILDING_BASE_PRICE_KRW = _price("BUILDING_BASE_PRICE_KRW", "5000")

"""The markets that a new instance lists; docs name the sources of the figures.

Lots and ticks are the venue's own choice, like the fees; 5 kg of gold an order and a band of 10 %
around a base price are those of the KRX gold market (global.krx.co.kr).
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from exchange.listings.services import Listing
from matching.protocol.units import InstrumentClass

BAND = Decimal("0.10")
DEFAULTS = (
    Listing(
        id=1,
        symbol="XAU-KRW",
        base_asset="XAU",
        quote_asset="KRW",
        unit="g",
        tick_size=Decimal(10),
        lot_size=Decimal("0.01"),
        instrument_class=InstrumentClass.METAL,
        quantity_max=Decimal(5_000),
        maker_fee_ppm=100,
        taker_fee_ppm=300,
    ),
    Listing(
        id=2,
        symbol="XAG-KRW",
        base_asset="XAG",
        quote_asset="KRW",
        unit="g",
        tick_size=Decimal(1),
        lot_size=Decimal(1),
        instrument_class=InstrumentClass.METAL,
        quantity_max=Decimal(500_000),
        maker_fee_ppm=100,
        taker_fee_ppm=300,
    ),
)


def default_listings(base_prices: Mapping[str, Decimal]) -> list[Listing]:
    """Return the default markets, each with a band if its base price is given.

    The band is rounded inward to the tick, so that it is never wider than it says.
    """
    return [
        replace(
            listing,
            price_low=_to_tick(price * (1 - BAND), listing.tick_size, ROUND_CEILING),
            price_high=_to_tick(price * (1 + BAND), listing.tick_size, ROUND_FLOOR),
        )
        if (price := base_prices.get(listing.symbol))
        else listing
        for listing in DEFAULTS
    ]


def _to_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding) * tick

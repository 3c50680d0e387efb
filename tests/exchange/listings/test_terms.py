"""Amounts that would not fit: told by the door before the engine has to."""

from decimal import Decimal

import pytest

from exchange.api.errors import Problem
from exchange.listings.terms import AssetTerms, InstrumentTerms, Step
from matching.protocol.units import PRICE_TICKS_MAX, QUANTITY_LOTS_MAX, UNITS_MAX, Phase

WIDE = InstrumentTerms(
    id=1,
    symbol="XAU-KRW",
    base=AssetTerms(2, "XAU", 3),
    quote=AssetTerms(1, "KRW", 4),
    unit="g",
    tick=Step(10, 0),
    lot=Step(1, 2),
    base_units_per_lot=10,
    quote_units_per_tick_lot=1_000,
    instrument_class=1,
    quantity_lots_max=QUANTITY_LOTS_MAX,
    tick_table=(),
    base_price_ticks=0,
    price_ticks_low=0,
    price_ticks_high=0,
    maker_fee_ppm=0,
    taker_fee_ppm=0,
    phase=Phase.CONTINUOUS,
    calendar="24h",
)


def test_value_is_refused_when_it_needs_more_than_63_bits() -> None:
    price = WIDE.price_parse(str(Decimal(PRICE_TICKS_MAX) * 10))
    most = UNITS_MAX // (price * WIDE.quote_units_per_tick_lot)
    WIDE.value_check(price, most)
    with pytest.raises(Problem) as refused:
        WIDE.value_check(price, most + 1)
    assert refused.value.code == "amount_overflow"


def test_figures_are_refused_when_they_are_beyond_all_bounds() -> None:
    with pytest.raises(Problem) as price:
        WIDE.price_parse(str((PRICE_TICKS_MAX + 1) * 10))
    with pytest.raises(Problem) as quantity:
        WIDE.quantity_parse("9" * 40)
    assert (price.value.code, quantity.value.code) == ("price_invalid", "quantity_invalid")

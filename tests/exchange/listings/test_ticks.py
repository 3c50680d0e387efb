"""Steps of the price and bands around a base price, by the rules of KRX."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import Invalid
from exchange.listings.defaults import KRX_TICKS
from exchange.listings.ticks import band_around, price_floor
from matching.protocol.units import price_step_ticks

prices = st.integers(1, 5_000_000)


@pytest.mark.parametrize(
    ("price", "step"),
    [
        *((1_999, 1), (2_000, 5), (4_999, 5), (5_000, 10), (19_999, 10), (20_000, 50)),
        *((49_999, 50), (50_000, 100), (199_999, 100), (200_000, 500), (499_999, 500)),
        *((500_000, 1_000), (9_000_000, 1_000)),
    ],
)
def test_step_is_that_of_krx(price: int, step: int) -> None:
    assert price_step_ticks(KRX_TICKS, price) == step


@pytest.mark.parametrize(
    ("base", "low", "high"),
    [
        (71_500, 50_100, 92_900),  # 21,450 down to 21,400
        (9_980, 6_990, 12_970),  # 2,994 down to 2,990
        (1_999, 1_400, 2_595),  # 599; 2,598 lies above the step of 5
        (4_995, 3_500, 6_490),  # 1,495; 6,490 on the step of 10
        (201_500, 141_500, 261_500),  # 60,450 down to 60,000
    ],
)
def test_band_is_thirty_percent_rounded_down_to_the_tick(base: int, low: int, high: int) -> None:
    assert band_around(base, 300_000, KRX_TICKS) == (low, high)


def test_band_of_a_metal_is_ten_percent_of_any_tick() -> None:
    assert band_around(18_759, 100_000) == (16_884, 20_634)
    assert band_around(0, 100_000) == band_around(18_759, 0) == (0, 0)


def test_base_price_is_refused_when_it_lies_between_two_steps() -> None:
    with pytest.raises(Invalid, match="2003 ticks is no multiple of its step 5"):
        band_around(2_003, 300_000, KRX_TICKS)


@given(prices, st.integers(1, 500_000))
def test_band_holds_its_base_is_on_the_table_and_never_wider_than_it_says(
    price: int, band_ppm: int
) -> None:
    base = price_floor(KRX_TICKS, price)
    low, high = band_around(base, band_ppm, KRX_TICKS)
    assert low <= base <= high
    assert all(bound % price_step_ticks(KRX_TICKS, bound) == 0 for bound in (low, high))
    width = base * band_ppm // 1_000_000
    assert base - width <= low and high <= base + width

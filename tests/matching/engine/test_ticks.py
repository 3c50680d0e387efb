"""Tick tables: a price is a multiple of the step of its band, as KRX has it for equities."""

import pytest

from matching.protocol.commands import AmendOrder
from matching.protocol.events import InstrumentDefined, OrderCancelled
from matching.protocol.refusals import Refusal
from matching.protocol.units import PRICE_TICKS_MAX, CancelReason, price_step_ticks
from tests.matching.market import (
    ALICE,
    BOB,
    BUY,
    CAROL,
    GOLD,
    IOC,
    MARKET,
    SELL,
    Market,
    fills,
    gold,
    order,
)

KRX = (
    (0, 1),
    (2_000, 5),
    (5_000, 10),
    (20_000, 50),
    (50_000, 100),
    (200_000, 500),
    (500_000, 1_000),
)


@pytest.mark.parametrize(
    ("price", "step"),
    [
        (1, 1),
        (1_999, 1),
        (2_000, 5),
        (4_999, 5),
        (5_000, 10),
        (19_999, 10),
        (20_000, 50),
        (49_999, 50),
        (50_000, 100),
        (199_999, 100),
        (200_000, 500),
        (499_999, 500),
        (500_000, 1_000),
        (PRICE_TICKS_MAX, 1_000),
    ],
)
def test_price_is_a_multiple_of_the_step_of_its_band(market: Market, price: int, step: int) -> None:
    assert price_step_ticks(KRX, price) == step
    market.do(gold(tick_table=KRX))
    if price % step:
        market.refuses(order(ALICE, SELL, price, 1), Refusal.PRICE_INVALID)
    down = price // step * step
    resting = market.rest(ALICE, SELL, down, 1)
    assert market.open_orders() == {resting: 1}
    if step > 1:
        market.refuses(order(ALICE, SELL, down + 1, 1), Refusal.PRICE_INVALID)
        market.refuses(AmendOrder(ALICE, resting, down + step - 1, 1), Refusal.PRICE_INVALID)


def test_every_tick_is_a_price_without_a_table(market: Market) -> None:
    assert price_step_ticks((), 7_777) == 1
    market.do(gold(tick_table=KRX))
    market.refuses(order(ALICE, SELL, 7_777, 1), Refusal.PRICE_INVALID)
    market.do(gold())
    market.rest(ALICE, SELL, 7_777, 1)


def test_price_off_its_step_is_invalid_before_it_is_outside_the_band(market: Market) -> None:
    market.do(gold(tick_table=KRX, price_ticks_low=2_003, price_ticks_high=2_600))
    market.refuses(order(ALICE, SELL, 2_601, 1), Refusal.PRICE_INVALID)
    market.refuses(order(ALICE, SELL, 2_605, 1), Refusal.PRICE_OUTSIDE_BAND)
    market.refuses(order(ALICE, SELL, 2_000, 1), Refusal.PRICE_OUTSIDE_BAND)
    market.rest(ALICE, SELL, 2_005, 1)


def test_market_order_has_no_price_to_be_off_its_step(market: Market) -> None:
    market.do(gold(tick_table=((0, 5),), price_ticks_low=3))
    maker = market.rest(ALICE, SELL, 100, 2)
    assert fills(market.place(BOB, BUY, 0, 2, kind=MARKET, time_in_force=IOC)) == [(maker, 100, 2)]


def test_new_tick_table_cancels_orders_off_it(market: Market) -> None:
    off = market.rest(ALICE, SELL, 2_001, 1)
    kept = market.rest(BOB, SELL, 2_005, 1)
    low = market.rest(CAROL, BUY, 1_999, 2)
    assert market.do(gold(tick_table=KRX)) == (
        InstrumentDefined(gold(tick_table=KRX)),
        OrderCancelled(off, ALICE, GOLD, CancelReason.RESTRICTED, 1),
    )
    assert market.open_orders() == {kept: 1, low: 2}


@pytest.mark.parametrize(
    "table",
    [
        ((1, 1),),
        ((2_000, 5), (0, 1)),
        ((0, 1), (0, 5)),
        ((0, 1), (2_000, 5), (2_000, 10)),
        ((0, 1), (5_000, 5), (2_000, 10)),
        ((0, 0),),
        ((0, 1), (2_000, -5)),
        ((0, PRICE_TICKS_MAX + 1),),
        ((0, 1), (PRICE_TICKS_MAX + 1, 5)),
        ((-1, 1), (0, 5)),
        tuple((start, 1) for start in range(33)),
    ],
)
def test_unsound_tick_table_is_malformed(
    market: Market, table: tuple[tuple[int, int], ...]
) -> None:
    market.refuses(gold(tick_table=table), Refusal.MALFORMED)

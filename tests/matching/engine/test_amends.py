"""Amending: priority, holds, trading as a taker."""

import pytest

from matching.protocol.commands import AmendOrder
from matching.protocol.events import OrderAmended, OrderCancelled
from matching.protocol.refusals import Refusal
from matching.protocol.units import CancelReason, SelfTradePrevention
from tests.matching.market import (
    ALICE,
    ALICE_TOO,
    BOB,
    BUY,
    CAROL,
    GOLD,
    KRW,
    SELL,
    XAU,
    Market,
    fills,
    gold,
)


def test_amend_keeps_priority_when_only_the_quantity_falls(market: Market) -> None:
    first = market.rest(ALICE, SELL, 100, 5)
    market.rest(BOB, SELL, 100, 5)
    assert market.amend(ALICE, first, 100, 2) == (OrderAmended(first, ALICE, GOLD, 100, 2, True),)
    assert market.balances(ALICE)[XAU] == (1_000_000 - 200, 200)
    assert fills(market.place(CAROL, BUY, 100, 1)) == [(first, 100, 1)]


@pytest.mark.parametrize(("price", "lots"), [(100, 6), (101, 5), (99, 5)])
def test_amend_loses_priority_when_price_or_more_quantity_is_asked(
    market: Market, price: int, lots: int
) -> None:
    first = market.rest(ALICE, SELL, 100, 5)
    second = market.rest(BOB, SELL, price, 5)
    amended = OrderAmended(first, ALICE, GOLD, price, lots, False)
    assert market.amend(ALICE, first, price, lots) == (amended,)
    assert fills(market.place(CAROL, BUY, price, 1)) == [(second, price, 1)]
    assert market.balances(ALICE)[XAU] == (1_000_000 - lots * 100, lots * 100)


def test_amend_that_meets_the_other_side_trades_as_a_taker(market: Market) -> None:
    market.do(gold(maker_fee_ppm=1_000, taker_fee_ppm=2_000))
    resting = market.rest(ALICE, SELL, 100, 5)
    bid = market.rest(BOB, BUY, 95, 2)
    events = market.amend(ALICE, resting, 95, 5)
    assert fills(events) == [(bid, 95, 2)]
    assert events[0] == OrderAmended(resting, ALICE, GOLD, 95, 5, False)
    assert market.gained(ALICE) == {XAU: -200, KRW: 1_900 - 3}
    assert market.gained(BOB) == {XAU: 200, KRW: -1_900 - 1}
    assert market.open_orders() == {resting: 3}


def test_amend_that_meets_its_own_holder_is_cancelled_as_the_newest(market: Market) -> None:
    market.rest(ALICE_TOO, BUY, 95, 2)
    resting = market.rest(ALICE, SELL, 100, 5)
    events = market.amend(ALICE, resting, 95, 5)
    assert events[1:] == (OrderCancelled(resting, ALICE, GOLD, CancelReason.SELF_TRADE, 5),)
    assert market.balances(ALICE)[XAU] == (1_000_000, 0)


def test_amend_uses_the_prevention_the_order_came_with(market: Market) -> None:
    own = market.rest(ALICE_TOO, BUY, 95, 2)
    oldest = SelfTradePrevention.CANCEL_OLDEST
    resting = market.rest(ALICE, SELL, 100, 5, self_trade_prevention=oldest)
    events = market.amend(ALICE, resting, 95, 5)
    assert events[1:] == (OrderCancelled(own, ALICE_TOO, GOLD, CancelReason.SELF_TRADE, 2),)
    assert market.open_orders() == {resting: 5}


@pytest.mark.parametrize(
    ("price", "lots", "code"),
    [
        (100, 5, Refusal.UNCHANGED),
        (0, 5, Refusal.PRICE_INVALID),
        (-1, 5, Refusal.PRICE_INVALID),
        (201, 5, Refusal.PRICE_OUTSIDE_BAND),
        (100, 0, Refusal.QUANTITY_INVALID),
        (100, 1_001, Refusal.QUANTITY_TOO_LARGE),
        (200, 501, Refusal.INSUFFICIENT_BALANCE),
        (110, 4, Refusal.POST_ONLY_WOULD_TRADE),
    ],
)
def test_amend_is_refused_by_code(market: Market, price: int, lots: int, code: Refusal) -> None:
    market.do(gold(price_ticks_high=200))
    resting = market.rest(ALICE, BUY, 100, 5, post_only=True)
    market.rest(BOB, SELL, 110, 1)
    market.refuses(AmendOrder(ALICE, resting, price, lots), code)


def test_amend_is_refused_beyond_63_bits(market: Market) -> None:
    market.do(gold(quantity_lots_max=2**40))
    resting = market.rest(ALICE, BUY, 1, 1)
    market.refuses(AmendOrder(ALICE, resting, 2**40, 2**40), Refusal.AMOUNT_OVERFLOW)


def test_amend_may_use_what_the_order_itself_holds(market: Market) -> None:
    resting = market.rest(ALICE, BUY, 100, 999)
    market.amend(ALICE, resting, 100, 1_000)
    assert market.balances(ALICE)[KRW] == (0, 1_000_000)

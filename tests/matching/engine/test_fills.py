"""Fees, rebates, holds and self-trade prevention, to the unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.book import Book
from matching.engine.fills import fill_fees
from matching.engine.taker import affordable_lots
from matching.protocol.commands import SetPhase
from matching.protocol.events import Filled, OrderCancelled, OrderReduced
from matching.protocol.refusals import Refusal
from matching.protocol.units import CancelReason, Phase, SelfTradePrevention, Side
from tests.matching.market import (
    ALICE,
    ALICE_TOO,
    BOB,
    BUY,
    CAROL,
    FOK,
    GOLD,
    IOC,
    KRW,
    MARKET,
    REVENUE,
    SELL,
    XAU,
    Market,
    fills,
    gold,
    order,
)

STP = SelfTradePrevention
SELF_TRADE = CancelReason.SELF_TRADE


@pytest.mark.parametrize(
    ("quote", "maker_ppm", "taker_ppm", "fees"),
    [
        (10_000, 100, 250, (1, 2)),
        (9_999, 100, 250, (0, 2)),
        (3_999, 100, 250, (0, 0)),
        (10_000, -100, 250, (-1, 2)),
        (19_999, -100, 250, (-1, 4)),
        (10_000, -500, 250, (-2, 2)),
        (10_000, -500, 0, (0, 0)),
        (10_000, 1_000_000, 1_000_000, (10_000, 10_000)),
    ],
)
def test_fees_round_down_and_a_rebate_stays_within_the_takers_fee(
    quote: int, maker_ppm: int, taker_ppm: int, fees: tuple[int, int]
) -> None:
    assert fill_fees(quote, maker_ppm, taker_ppm) == fees


def test_fees_of_both_sides_go_to_revenue(market: Market) -> None:
    market.do(gold(maker_fee_ppm=1_500, taker_fee_ppm=2_500))
    market.rest(ALICE, SELL, 101, 3)
    filled = market.place(BOB, BUY, 101, 3)[1]
    assert isinstance(filled, Filled)
    assert (filled.quote_units, filled.maker_fee_units, filled.taker_fee_units) == (3_030, 4, 7)
    assert market.gained(ALICE) == {XAU: -300, KRW: 3_026}
    assert market.gained(BOB) == {XAU: 300, KRW: -3_037}
    assert market.balances(REVENUE) == {KRW: (11, 0)}


def test_rebate_is_paid_to_the_maker_from_the_takers_fee(market: Market) -> None:
    market.do(gold(maker_fee_ppm=-1_000, taker_fee_ppm=2_500))
    market.rest(ALICE, BUY, 101, 3)
    filled = market.place(BOB, SELL, 101, 3)[1]
    assert isinstance(filled, Filled)
    assert (filled.maker_fee_units, filled.taker_fee_units) == (-3, 7)
    assert market.gained(ALICE) == {XAU: 300, KRW: -3_027}
    assert market.balances(REVENUE) == {KRW: (4, 0)}


def test_better_price_and_unused_fee_return_to_the_buyer_at_once(market: Market) -> None:
    market.do(gold(taker_fee_ppm=1_000))
    market.rest(ALICE, SELL, 90, 2)
    market.place(BOB, BUY, 100, 5)
    held = 3_000 + 3
    assert market.balances(BOB)[KRW] == (1_000_000 - 1_800 - 1 - held, held)


def test_resting_order_keeps_the_fee_terms_it_came_under(market: Market) -> None:
    market.do(gold(maker_fee_ppm=1_000, taker_fee_ppm=1_000))
    market.rest(ALICE, BUY, 100, 2)
    market.do(gold(maker_fee_ppm=90_000, taker_fee_ppm=90_000))
    filled = market.place(BOB, SELL, 100, 2)[1]
    assert isinstance(filled, Filled)
    assert (filled.maker_fee_units, filled.taker_fee_units) == (2, 180)


@given(
    price=st.integers(1, 2**20),
    splits=st.lists(st.integers(1, 2**10), min_size=1, max_size=8),
    maker_ppm=st.integers(-1_000_000, 1_000_000),
    taker_ppm=st.integers(0, 1_000_000),
    data=st.data(),
)
def test_hold_covers_any_way_of_being_filled(
    price: int, splits: list[int], maker_ppm: int, taker_ppm: int, data: st.DataObject
) -> None:
    book = Book(gold(maker_fee_ppm=maker_ppm, taker_fee_ppm=taker_ppm))
    left = sum(splits)
    hold = book.hold_units(Side.BUY, price, left, book.fees[0][2])
    for lots in splits:
        quote = data.draw(st.integers(1, price)) * lots * book.quote_units_per_tick_lot
        hold -= quote + data.draw(st.sampled_from(fill_fees(quote, maker_ppm, taker_ppm)))
        left -= lots
        assert hold >= book.hold_units(Side.BUY, price, left, book.fees[0][2])


@given(
    price=st.integers(1, 10**6), cash=st.integers(0, 10**12), taker_ppm=st.integers(0, 1_000_000)
)
def test_affordable_lots_are_exact(price: int, cash: int, taker_ppm: int) -> None:
    book = Book(gold(taker_fee_ppm=taker_ppm))
    lots = affordable_lots(price * book.quote_units_per_tick_lot, cash, taker_ppm)
    ppm = taker_ppm
    assert book.hold_units(Side.BUY, price, lots, ppm) <= cash
    assert book.hold_units(Side.BUY, price, lots + 1, ppm) > cash


def test_own_order_cancels_the_newest(market: Market) -> None:
    foreign = market.rest(BOB, SELL, 99, 1)
    own = market.rest(ALICE_TOO, SELL, 100, 5)
    events = market.place(ALICE, BUY, 100, 3, self_trade_prevention=STP.CANCEL_NEWEST)
    taker = market.engine.sequence
    assert fills(events) == [(foreign, 99, 1)]
    assert events[-1] == OrderCancelled(taker, ALICE, GOLD, SELF_TRADE, 2)
    assert market.open_orders() == {own: 5}


def test_own_order_cancels_the_oldest_and_trades_on(market: Market) -> None:
    own = market.rest(ALICE_TOO, SELL, 100, 5)
    foreign = market.rest(BOB, SELL, 100, 2)
    events = market.place(ALICE, BUY, 100, 3, self_trade_prevention=STP.CANCEL_OLDEST)
    taker = market.engine.sequence
    assert events[1] == OrderCancelled(own, ALICE_TOO, GOLD, SELF_TRADE, 5)
    assert fills(events) == [(foreign, 100, 2)]
    assert market.open_orders() == {taker: 1}
    assert market.balances(ALICE_TOO)[XAU] == (1_000_000, 0)


def test_own_order_cancels_both(market: Market) -> None:
    own = market.rest(ALICE_TOO, SELL, 100, 5)
    events = market.place(ALICE, BUY, 100, 3, self_trade_prevention=STP.CANCEL_BOTH)
    taker = market.engine.sequence
    assert events[1:] == (
        OrderCancelled(own, ALICE_TOO, GOLD, SELF_TRADE, 5),
        OrderCancelled(taker, ALICE, GOLD, SELF_TRADE, 3),
    )
    assert market.open_orders() == {}
    assert market.gained(ALICE) == market.gained(ALICE_TOO) == {}


@pytest.mark.parametrize(("own_lots", "lots"), [(5, 3), (3, 5), (4, 4)])
def test_own_order_reduces_both(market: Market, own_lots: int, lots: int) -> None:
    own = market.rest(ALICE_TOO, SELL, 100, own_lots)
    events = market.place(ALICE, BUY, 100, lots, self_trade_prevention=STP.REDUCE_BOTH)
    taker = market.engine.sequence
    by = min(own_lots, lots)
    expected = [OrderReduced(own, ALICE_TOO, GOLD, by, own_lots - by)]
    if own_lots == by:
        expected.append(OrderCancelled(own, ALICE_TOO, GOLD, SELF_TRADE, 0))  # type: ignore[arg-type]
    expected.append(OrderReduced(taker, ALICE, GOLD, by, lots - by))
    if lots == by:
        expected.append(OrderCancelled(taker, ALICE, GOLD, SELF_TRADE, 0))  # type: ignore[arg-type]
    assert list(events[1:]) == expected
    left = {own: own_lots - by, taker: lots - by}
    assert market.open_orders() == {order_id: open_ for order_id, open_ in left.items() if open_}
    assert market.balances(ALICE_TOO)[XAU] == (1_000_000 - left[own] * 100, left[own] * 100)
    assert market.balances(ALICE)[KRW] == (1_000_000 - left[taker] * 1_000, left[taker] * 1_000)


@pytest.mark.parametrize("mode", [STP.CANCEL_NEWEST, STP.CANCEL_BOTH, STP.REDUCE_BOTH])
def test_fill_or_kill_is_unfillable_when_an_own_order_would_end_it(
    market: Market, mode: SelfTradePrevention
) -> None:
    market.rest(BOB, SELL, 100, 2)
    market.rest(ALICE_TOO, SELL, 100, 2)
    market.rest(CAROL, SELL, 100, 2)
    command = order(ALICE, BUY, 100, 4, time_in_force=FOK, self_trade_prevention=mode)
    market.refuses(command, Refusal.FILL_OR_KILL_UNFILLABLE)
    assert market.place(ALICE, BUY, 100, 2, time_in_force=FOK, self_trade_prevention=mode)


def test_fill_or_kill_looks_past_own_orders_that_it_will_cancel(market: Market) -> None:
    market.rest(BOB, SELL, 100, 2)
    market.rest(ALICE_TOO, SELL, 100, 2)
    market.rest(CAROL, SELL, 100, 2)
    mode = STP.CANCEL_OLDEST
    command = order(ALICE, BUY, 100, 5, time_in_force=FOK, self_trade_prevention=mode)
    market.refuses(command, Refusal.FILL_OR_KILL_UNFILLABLE)
    events = market.place(ALICE, BUY, 100, 4, time_in_force=FOK, self_trade_prevention=mode)
    assert [lots for _, _, lots in fills(events)] == [2, 2]
    assert market.open_orders() == {}


def test_market_order_meets_its_own_holder_alike(market: Market) -> None:
    market.rest(ALICE, SELL, 100, 2)
    events = market.place(ALICE, BUY, 0, 1, kind=MARKET, time_in_force=IOC)
    taker = market.engine.sequence
    assert events[1:] == (OrderCancelled(taker, ALICE, GOLD, SELF_TRADE, 1),)


def test_last_price_is_that_of_the_last_fill(market: Market) -> None:
    market.rest(ALICE, SELL, 100, 1)
    market.rest(ALICE, SELL, 101, 1)
    market.place(BOB, BUY, 101, 2)
    market.do(SetPhase(GOLD, Phase.HALTED))
    (instrument, _) = market.engine.image().books
    assert (instrument.last_price_ticks, instrument.phase) == (101, Phase.HALTED)

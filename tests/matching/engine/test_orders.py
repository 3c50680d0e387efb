"""Limit and market orders of every kind: what rests, what trades, what is cancelled."""

from typing import Any

import pytest

from matching.protocol.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    SetEligibility,
    SetPhase,
)
from matching.protocol.events import (
    AnyEvent,
    Filled,
    OrderAccepted,
    OrderCancelled,
    OrderRepeated,
    OrdersCancelled,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import CancelReason, Medium, Phase, SelfTradePrevention
from tests.matching.market import (
    ACME,
    ALICE,
    ALICE_TOO,
    BOB,
    BUY,
    CAROL,
    FOK,
    GOLD,
    GTC,
    IOC,
    KRW,
    LIMIT,
    MARKET,
    REVENUE,
    SELL,
    SHARES,
    XAU,
    Market,
    fills,
    gold,
    order,
)

DAY_NS = 24 * 3_600 * 10**9


def _last_cancelled(events: tuple[AnyEvent, ...]) -> tuple[CancelReason, int]:
    last = events[-1]
    assert isinstance(last, OrderCancelled)
    return last.reason, last.remaining_lots


def test_order_rests_and_holds_when_nothing_meets_it(market: Market) -> None:
    events = market.place(ALICE, BUY, 90, 3, medium=Medium.PARTNER, client_order_id="a")
    sequence = market.engine.sequence
    assert events == (
        OrderAccepted(
            sequence, ALICE, "a", GOLD, BUY, LIMIT, GTC, 90, 3, False,
            SelfTradePrevention.CANCEL_NEWEST, Medium.PARTNER,
        ),
    )  # fmt: skip
    assert market.balances(ALICE)[KRW] == (1_000_000 - 2_700, 2_700)
    market.rest(ALICE, SELL, 110, 2)
    assert market.balances(ALICE)[XAU] == (1_000_000 - 200, 200)
    assert market.book().bids == ((90, 3, 1),)
    assert market.book().asks == ((110, 2, 1),)


def test_fill_moves_base_and_quote_at_the_makers_price(market: Market) -> None:
    maker = market.rest(ALICE, SELL, 100, 5)
    events = market.place(BOB, BUY, 120, 3)
    taker = market.engine.sequence
    assert events[1:] == (
        Filled(1, GOLD, 100, 3, 300, 3_000, BUY, maker, taker, ALICE, BOB, 0, 0, 2, 0),
    )
    assert market.gained(ALICE) == {XAU: -300, KRW: 3_000}
    assert market.gained(BOB) == {XAU: 300, KRW: -3_000}
    assert market.balances(BOB)[KRW] == (1_000_000 - 3_000, 0)
    assert market.open_orders() == {maker: 2}


def test_fills_follow_price_then_time(market: Market) -> None:
    dear = market.rest(ALICE, SELL, 102, 1)
    first = market.rest(ALICE, SELL, 101, 1)
    second = market.rest(CAROL, SELL, 101, 2)
    events = market.place(BOB, BUY, 102, 5)
    assert fills(events) == [(first, 101, 1), (second, 101, 2), (dear, 102, 1)]
    assert market.book().bids == ((102, 1, 1),)
    assert market.balances(BOB)[KRW][1] == 1_020


def test_seller_takes_the_highest_bid_first(market: Market) -> None:
    low = market.rest(ALICE, BUY, 99, 1)
    high = market.rest(CAROL, BUY, 101, 1)
    assert fills(market.place(BOB, SELL, 99, 2)) == [(high, 101, 1), (low, 99, 1)]
    assert market.gained(BOB) == {XAU: -200, KRW: 2_000}


def test_many_small_takers_empty_one_level_in_time_order(market: Market) -> None:
    makers = [market.rest(ALICE, SELL, 100, 1) for _ in range(50)]
    taken = [fills(market.place(BOB, BUY, 100, 1))[0][0] for _ in range(50)]
    assert taken == makers


@pytest.mark.parametrize("kind", [LIMIT, MARKET])
def test_immediate_order_cancels_what_does_not_trade(market: Market, kind: int) -> None:
    market.rest(ALICE, SELL, 100, 2)
    events = market.place(BOB, BUY, 100 * (kind == LIMIT), 5, kind=kind, time_in_force=IOC)
    assert [lots for _, _, lots in fills(events)] == [2]
    assert _last_cancelled(events) == (CancelReason.IMMEDIATE, 3)
    assert market.balances(BOB)[KRW] == (1_000_000 - 2_000, 0)
    assert market.open_orders() == {}


def test_immediate_order_leaves_no_trace_of_itself_in_an_empty_book(market: Market) -> None:
    for kind, price in ((LIMIT, 100), (MARKET, 0)):
        events = market.place(BOB, SELL, price, 5, kind=kind, time_in_force=IOC)
        assert _last_cancelled(events) == (CancelReason.IMMEDIATE, 5)
    assert market.gained(BOB) == {}


@pytest.mark.parametrize(("kind", "price"), [(LIMIT, 101), (MARKET, 0)])
def test_fill_or_kill_trades_whole_or_not_at_all(market: Market, kind: int, price: int) -> None:
    market.rest(ALICE, SELL, 100, 2)
    market.rest(CAROL, SELL, 101, 2)
    market.refuses(
        order(BOB, BUY, price, 5, kind=kind, time_in_force=FOK), Refusal.FILL_OR_KILL_UNFILLABLE
    )
    events = market.place(BOB, BUY, price, 4, kind=kind, time_in_force=FOK)
    assert [lots for _, _, lots in fills(events)] == [2, 2]


def test_fill_or_kill_does_not_look_behind_its_limit(market: Market) -> None:
    market.rest(ALICE, SELL, 100, 2)
    market.rest(ALICE, SELL, 101, 2)
    market.refuses(order(BOB, BUY, 100, 3, time_in_force=FOK), Refusal.FILL_OR_KILL_UNFILLABLE)


def test_market_buy_stops_at_its_cash(market: Market) -> None:
    market.rest(ALICE, SELL, 1_000, 60)
    market.rest(CAROL, SELL, 2_000, 60)
    events = market.place(BOB, BUY, 0, 120, kind=MARKET, time_in_force=IOC)
    assert [(price, lots) for _, price, lots in fills(events)] == [(1_000, 60), (2_000, 20)]
    assert _last_cancelled(events) == (CancelReason.INSUFFICIENT, 40)
    assert KRW not in market.balances(BOB)


def test_market_buy_pays_its_fee_from_the_same_cash(market: Market) -> None:
    market.do(gold(taker_fee_ppm=10_000))
    market.rest(ALICE, SELL, 1_000, 200)
    events = market.place(BOB, BUY, 0, 200, kind=MARKET, time_in_force=IOC)
    assert fills(events)[0][2] == 99  # 100 lots would cost 1,000,000 and 10,000 more
    assert market.gained(BOB)[KRW] == -990_000 - 9_900


def test_market_fill_or_kill_buy_is_refused_when_cash_falls_short(market: Market) -> None:
    market.rest(ALICE, SELL, 1_000, 200)
    command = order(BOB, BUY, 0, 101, kind=MARKET, time_in_force=FOK)
    market.refuses(command, Refusal.INSUFFICIENT_BALANCE)
    assert fills(market.place(BOB, BUY, 0, 100, kind=MARKET, time_in_force=FOK))


def test_market_sell_sells_what_is_available_and_no_more(market: Market) -> None:
    market.rest(ALICE, BUY, 1, 1_000)
    market.do(gold(quantity_lots_max=20_000))
    command = order(BOB, SELL, 0, 10_001, kind=MARKET, time_in_force=IOC)
    market.refuses(command, Refusal.INSUFFICIENT_BALANCE)
    market.place(BOB, SELL, 0, 1_000, kind=MARKET, time_in_force=IOC)
    assert market.gained(BOB) == {XAU: -100_000, KRW: 10_000}


def test_post_only_rests_or_is_refused(market: Market) -> None:
    market.rest(ALICE, SELL, 100, 1)
    market.refuses(order(BOB, BUY, 100, 1, post_only=True), Refusal.POST_ONLY_WOULD_TRADE)
    market.rest(BOB, BUY, 99, 1, post_only=True)
    market.refuses(order(CAROL, SELL, 99, 1, post_only=True), Refusal.POST_ONLY_WOULD_TRADE)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account": 77}, Refusal.UNKNOWN_ACCOUNT),
        ({"account": REVENUE}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"instrument": 77}, Refusal.UNKNOWN_INSTRUMENT),
        ({"price_ticks": 0}, Refusal.PRICE_INVALID),
        ({"price_ticks": -1}, Refusal.PRICE_INVALID),
        ({"price_ticks": 2**40 + 1}, Refusal.PRICE_INVALID),
        ({"price_ticks": 2**63}, Refusal.PRICE_INVALID),
        ({"quantity_lots": 0}, Refusal.QUANTITY_INVALID),
        ({"quantity_lots": -5}, Refusal.QUANTITY_INVALID),
        ({"quantity_lots": 1_001}, Refusal.QUANTITY_TOO_LARGE),
        ({"price_ticks": 101, "quantity_lots": 1_000}, Refusal.INSUFFICIENT_BALANCE),
        ({"client_order_id": ""}, Refusal.MALFORMED),
        ({"client_order_id": "x" * 37}, Refusal.MALFORMED),
        ({"client_order_id": "a\n"}, Refusal.MALFORMED),
        ({"client_order_id": "금"}, Refusal.MALFORMED),
        ({"client_order_id": "a b"}, Refusal.MALFORMED),
        ({"kind": MARKET, "time_in_force": IOC}, Refusal.MALFORMED),
        ({"kind": MARKET, "price_ticks": 0}, Refusal.MALFORMED),
        ({"kind": MARKET, "price_ticks": 0, "time_in_force": IOC, "post_only": True},
         Refusal.MALFORMED),
        ({"post_only": True, "time_in_force": IOC}, Refusal.MALFORMED),
    ],
)  # fmt: skip
def test_order_is_refused_by_code(market: Market, changes: dict[str, Any], code: Refusal) -> None:
    market.refuses(order(BOB, BUY, 100, 5, **changes), code)


def test_order_is_refused_outside_the_price_band(market: Market) -> None:
    market.do(gold(price_ticks_low=90, price_ticks_high=110))
    market.refuses(order(BOB, BUY, 89, 1), Refusal.PRICE_OUTSIDE_BAND)
    market.refuses(order(BOB, SELL, 111, 1), Refusal.PRICE_OUTSIDE_BAND)
    market.rest(BOB, BUY, 90, 1)
    market.rest(BOB, SELL, 110, 1)


def test_order_is_refused_beyond_63_bits(market: Market) -> None:
    market.do(gold(quantity_lots_max=2**40))
    for side in (BUY, SELL):
        market.refuses(order(BOB, side, 2**40, 2**40), Refusal.AMOUNT_OVERFLOW)


def test_order_needs_its_whole_hold_available(market: Market) -> None:
    market.do(gold(taker_fee_ppm=1))
    market.refuses(order(BOB, BUY, 100, 1_000), Refusal.INSUFFICIENT_BALANCE)
    market.do(gold())
    market.rest(BOB, BUY, 100, 1_000)
    market.refuses(order(BOB, BUY, 1, 1), Refusal.INSUFFICIENT_BALANCE)


@pytest.mark.parametrize(
    ("phase", "code"),
    [(Phase.CLOSED, Refusal.MARKET_CLOSED), (Phase.HALTED, Refusal.MARKET_HALTED)],
)
def test_phase_refuses_orders_and_amends(market: Market, phase: Phase, code: Refusal) -> None:
    resting = market.rest(ALICE, SELL, 100, 5)
    market.do(SetPhase(GOLD, phase))
    market.refuses(order(BOB, BUY, 100, 5), code)
    market.refuses(order(BOB, BUY, 0, 5, kind=MARKET, time_in_force=IOC), code)
    market.refuses(AmendOrder(ALICE, resting, 100, 4), code)


def test_halted_market_takes_cancels_and_a_closed_one_does_not(market: Market) -> None:
    first = market.rest(ALICE, SELL, 100, 5)
    second = market.rest(ALICE, SELL, 100, 5)
    market.do(SetPhase(GOLD, Phase.HALTED))
    assert market.cancel(ALICE, first) == (
        OrderCancelled(first, ALICE, GOLD, CancelReason.REQUESTED, 5),
    )
    market.do(SetPhase(GOLD, Phase.CLOSED))
    market.refuses(CancelOrder(ALICE, second), Refusal.MARKET_CLOSED)
    market.refuses(CancelAll(ALICE, GOLD), Refusal.MARKET_CLOSED)
    assert market.do(CancelAll(ALICE)) == (OrdersCancelled(ALICE, 0),)


def test_cancel_frees_the_hold_and_hides_orders_of_others(market: Market) -> None:
    resting = market.rest(ALICE, BUY, 100, 5)
    market.refuses(CancelOrder(BOB, resting), Refusal.UNKNOWN_ORDER)
    market.refuses(CancelOrder(77, resting), Refusal.UNKNOWN_ORDER)
    market.refuses(AmendOrder(BOB, resting, 100, 4), Refusal.UNKNOWN_ORDER)
    market.cancel(ALICE, resting)
    assert market.balances(ALICE)[KRW] == (1_000_000, 0)
    market.refuses(CancelOrder(ALICE, resting), Refusal.UNKNOWN_ORDER)


def test_cancel_finds_an_order_by_its_client_order_id(market: Market) -> None:
    resting = market.rest(ALICE, BUY, 100, 5, client_order_id="mine")
    named = CancelOrder(ALICE, 0, "mine")
    for stranger in (BOB, ALICE_TOO, 77):
        market.refuses(CancelOrder(stranger, 0, "mine"), Refusal.UNKNOWN_ORDER)
    market.refuses(CancelOrder(ALICE, 0, "other"), Refusal.UNKNOWN_ORDER)
    market.do(SetPhase(GOLD, Phase.CLOSED))
    market.refuses(named, Refusal.MARKET_CLOSED)
    market.do(SetPhase(GOLD, Phase.CONTINUOUS))
    assert market.do(named) == (OrderCancelled(resting, ALICE, GOLD, CancelReason.REQUESTED, 5),)
    market.refuses(named, Refusal.UNKNOWN_ORDER)
    market.rest(ALICE, SELL, 100, 5, client_order_id="sold")
    market.place(BOB, BUY, 100, 5)
    market.refuses(CancelOrder(ALICE, 0, "sold"), Refusal.UNKNOWN_ORDER)


def test_cancel_finds_an_open_order_of_any_age_by_its_client_order_id(market: Market) -> None:
    resting = market.rest(ALICE, BUY, 100, 5, client_order_id="old")
    market.do(CancelAll(BOB), after_ns=30 * DAY_NS)
    (cancelled,) = market.do(CancelOrder(ALICE, 0, "old"))
    assert cancelled == OrderCancelled(resting, ALICE, GOLD, CancelReason.REQUESTED, 5)


@pytest.mark.parametrize(("order_id", "name"), [(0, ""), (1, "mine"), (0, "a b"), (0, "x" * 37)])
def test_cancel_is_malformed_unless_it_names_one_order(
    market: Market, order_id: int, name: str
) -> None:
    market.rest(ALICE, BUY, 100, 5, client_order_id="mine")
    market.refuses(CancelOrder(ALICE, order_id, name), Refusal.MALFORMED)


def test_cancel_all_cancels_by_age_in_one_instrument_or_all(market: Market) -> None:
    golden = [market.rest(ALICE, SELL, price, 1) for price in (101, 100, 102)]
    share = market.rest(ALICE, SELL, 100, 1, instrument=SHARES)
    other = market.rest(BOB, SELL, 100, 1)
    events = market.do(CancelAll(ALICE, GOLD))
    assert [getattr(event, "order_id", None) for event in events] == [*golden, None]
    assert events[-1] == OrdersCancelled(ALICE, 3)
    assert market.do(CancelAll(ALICE)) == (
        OrderCancelled(share, ALICE, SHARES, CancelReason.REQUESTED, 1),
        OrdersCancelled(ALICE, 1),
    )
    assert market.open_orders() == {other: 1}
    assert market.balances(ALICE)[ACME] == (1_000_000, 0)
    market.refuses(CancelAll(77), Refusal.UNKNOWN_ACCOUNT)
    market.refuses(CancelAll(ALICE, 77), Refusal.UNKNOWN_INSTRUMENT)


def test_same_client_order_id_returns_the_same_order(market: Market) -> None:
    order_id = market.rest(ALICE, SELL, 100, 5, client_order_id="once")
    before = market.engine.state_hash()
    repeated = (OrderRepeated(order_id, ALICE, "once"),)
    assert market.place(ALICE, SELL, 100, 5, client_order_id="once") == repeated
    market.do(SetPhase(GOLD, Phase.CLOSED))
    assert market.place(ALICE, SELL, 100, 5, client_order_id="once") == repeated
    market.do(SetPhase(GOLD, Phase.CONTINUOUS))
    assert market.engine.state_hash() == before
    code = Refusal.CLIENT_ORDER_ID_REUSED
    market.refuses(order(ALICE, SELL, 100, 6, client_order_id="once"), code)
    market.refuses(order(ALICE, BUY, 100, 5, client_order_id="once"), code)
    market.refuses(order(ALICE, SELL, 100, 5, client_order_id="once", medium=Medium.CONSOLE), code)
    market.rest(BOB, SELL, 100, 5, client_order_id="once")


def test_refused_order_leaves_its_client_order_id_free(market: Market) -> None:
    market.refuses(
        order(ALICE, SELL, 100, 9_999, client_order_id="again"), Refusal.QUANTITY_TOO_LARGE
    )
    market.rest(ALICE, SELL, 100, 5, client_order_id="again")


def test_client_order_id_is_remembered_for_two_trade_dates_or_while_open(market: Market) -> None:
    resting = market.rest(ALICE, SELL, 100, 5, client_order_id="open")
    gone = market.rest(ALICE, SELL, 100, 5, client_order_id="gone")
    market.cancel(ALICE, gone)
    market.do(CancelAll(BOB), after_ns=DAY_NS)
    repeated = market.place(ALICE, SELL, 100, 5, client_order_id="gone")
    assert repeated == (OrderRepeated(gone, ALICE, "gone"),)
    market.do(CancelAll(BOB), after_ns=DAY_NS)
    assert market.rest(ALICE, SELL, 100, 5, client_order_id="gone") > resting
    repeated = market.place(ALICE, SELL, 100, 5, client_order_id="open")
    assert repeated == (OrderRepeated(resting, ALICE, "open"),)
    market.do(CancelAll(BOB), after_ns=30 * DAY_NS)
    repeated = market.place(ALICE, SELL, 100, 5, client_order_id="open")
    assert repeated == (OrderRepeated(resting, ALICE, "open"),)


def test_trade_date_rolls_at_midnight_in_seoul(market: Market) -> None:
    gone = market.rest(ALICE, SELL, 100, 5, client_order_id="gone")
    market.cancel(ALICE, gone)
    into_day = (market.time_ns + 9 * 3_600 * 10**9) % DAY_NS
    market.do(CancelAll(BOB), after_ns=2 * DAY_NS - into_day - 2)
    repeated = market.place(ALICE, SELL, 100, 5, client_order_id="gone")
    assert market.time_ns % DAY_NS == 15 * 3_600 * 10**9 - 1
    assert repeated == (OrderRepeated(gone, ALICE, "gone"),)
    assert market.rest(ALICE, SELL, 100, 5, client_order_id="gone") > gone


def test_restriction_cancels_what_it_forbids_at_its_sequence(market: Market) -> None:
    golden = market.rest(ALICE, SELL, 100, 1)
    share = market.rest(ALICE_TOO, SELL, 100, 1, instrument=SHARES)
    events = market.do(SetEligibility(100, 2, 1))
    restricted = CancelReason.RESTRICTED
    assert events[1:] == (OrderCancelled(share, ALICE_TOO, SHARES, restricted, 1),)
    market.refuses(order(ALICE, SELL, 100, 1, instrument=SHARES), Refusal.NOT_ELIGIBLE)
    events = market.do(SetEligibility(100, 3, 3, frozen=True))
    assert events[1:] == (OrderCancelled(golden, ALICE, GOLD, restricted, 1),)
    market.refuses(order(ALICE, SELL, 100, 1), Refusal.FROZEN)
    market.do(SetEligibility(100, 4, 3))
    market.rest(ALICE, SELL, 100, 1)

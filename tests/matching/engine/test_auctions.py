"""Call auctions, worked by hand.

The rules: the largest executable quantity, then the smallest surplus, then market pressure, then
the reference price. Sources: Deutsche Boerse, "T7 Market Model for the Trading Venue Xetra",
section on price determination in auctions, whose basic cases the tables follow; Euronext, "Trading
Manual for the Universal Trading Platform", theoretical opening price; KRX (global.krx.co.kr),
"Trading mechanism: periodic call auction", for quantity, priority and the calls of the day.
"""

import pytest

from matching.auction import NO_UNCROSSING, Uncrossing, uncrossing
from matching.protocol.commands import OrderTerms, SetPhase
from matching.protocol.events import (
    AuctionUncrossed,
    Filled,
    IndicativeChanged,
    OrderAccepted,
    OrderActivated,
    OrderCancelled,
    OrderParked,
    OrderReplenished,
    PhaseChanged,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CancelReason,
    FillKind,
    OrderKind,
    Phase,
    SelfTradePrevention,
    TimeInForce,
)
from tests.matching.market import (
    ALICE,
    ALICE_TOO,
    BOB,
    BUY,
    CAROL,
    DAY,
    GOLD,
    GTC,
    IOC,
    KRW,
    MARKET,
    MINUTE_NS,
    SECOND_NS,
    SELL,
    XAU,
    Market,
    gold,
    opening,
    order,
)

AT_THE_OPEN, AT_THE_CLOSE = TimeInForce.AT_THE_OPEN, TimeInForce.AT_THE_CLOSE
CONDITIONAL = OrderKind.CONDITIONAL_LIMIT
STP = SelfTradePrevention


@pytest.fixture
def call() -> Market:
    """A market in its opening auction, gold in a band of 80 to 120, base price 100."""
    rules = {"price_ticks_low": 80, "price_ticks_high": 120, "base_price_ticks": 100}
    market = Market(opening())
    market.do(gold(**rules))
    market.phase(Phase.OPENING_AUCTION)
    return market


@pytest.mark.parametrize(
    ("bids", "asks", "any_price", "reference", "expected"),
    [
        # One price has the largest quantity: at 200, 300 want and 300 are offered.
        pytest.param(
            [(202, 200), (201, 200), (200, 300)], [(200, 100), (199, 200), (198, 200)], (0, 0), 0,
            Uncrossing(200, 500, 200), id="largest quantity",
        ),
        # 201 and 202 both trade 300; what is left to buy at 201 is 200, at 202 nothing.
        pytest.param(
            [(202, 300), (201, 200)], [(199, 300)], (0, 0), 0,
            Uncrossing(202, 300, 0), id="smallest surplus",
        ),
        # All of the best prices leave 100 to buy: pressure upwards, the highest.
        pytest.param(
            [(202, 400)], [(199, 300)], (0, 0), 199,
            Uncrossing(202, 300, 100), id="pressure to buy",
        ),
        # The mirror case: 100 are left to sell at every price, the lowest.
        pytest.param(
            [(202, 300)], [(199, 400)], (0, 0), 202,
            Uncrossing(199, 300, -100), id="pressure to sell",
        ),
        # No surplus between 199 and 202: the reference decides, inside, above and below.
        pytest.param(
            [(202, 300)], [(199, 300)], (0, 0), 200, Uncrossing(200, 300, 0), id="reference within"
        ),
        pytest.param(
            [(202, 300)], [(199, 300)], (0, 0), 205, Uncrossing(202, 300, 0), id="reference above"
        ),
        pytest.param(
            [(202, 300)], [(199, 300)], (0, 0), 150, Uncrossing(199, 300, 0), id="reference below"
        ),
        pytest.param(
            [(202, 300)], [(199, 300)], (0, 0), 0, Uncrossing(199, 300, 0), id="no reference"
        ),
        # Equal surplus on different sides at 200 and 201: no pressure, the reference decides.
        pytest.param(
            [(201, 100), (200, 50)], [(200, 100), (201, 50)], (0, 0), 204,
            Uncrossing(201, 100, -50), id="pressure on both sides",
        ),
        # The example of docs/matching.md, and its two variations.
        pytest.param(
            [(103, 10), (101, 20), (100, 30)], [(98, 15), (100, 20), (102, 40)], (0, 0), 100,
            Uncrossing(100, 35, 25), id="example",
        ),
        pytest.param(
            [(101, 60)], [(98, 15), (100, 20), (102, 40)], (0, 0), 100,
            Uncrossing(101, 35, 25), id="example, all buys at one price",
        ),
        pytest.param(
            [(103, 10), (101, 25)], [(98, 15), (100, 20), (102, 40)], (0, 0), 100,
            Uncrossing(100, 35, 0), id="example, nothing left over",
        ),
        pytest.param(
            [], [], (900, 800), 200, Uncrossing(200, 800, 100), id="market orders alone"
        ),
        pytest.param([], [], (900, 800), 0, NO_UNCROSSING, id="market orders, no reference"),
        pytest.param(
            [(199, 100)], [], (0, 50), 190, Uncrossing(199, 50, 50), id="market order meets limits"
        ),
        pytest.param([(199, 100)], [(200, 100)], (0, 0), 199, NO_UNCROSSING, id="not crossed"),
        pytest.param([(199, 100)], [], (100, 0), 199, NO_UNCROSSING, id="one side alone"),
    ],
)  # fmt: skip
def test_price_of_an_auction(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    any_price: tuple[int, int],
    reference: int,
    expected: Uncrossing,
) -> None:
    assert uncrossing(bids, asks, any_price, reference, lambda price: price) == expected


def test_reference_between_two_steps_is_rounded_down_but_not_below_the_lowest() -> None:
    def by_fives(price: int) -> int:
        return price - price % 5

    assert uncrossing([(210, 1)], [(200, 1)], (0, 0), 208, by_fives) == (205, 1, 0)
    assert uncrossing([(210, 1)], [(203, 1)], (0, 0), 204, by_fives) == (203, 1, 0)


def test_all_trade_at_one_price_by_price_and_time(call: Market) -> None:
    """KRX: within a call, better prices first, then earlier orders; everybody at one price.

    Wanted: 10 at 103, 20 at 101, 30 at 100. Offered: 15 at 98, 20 at 100, 40 at 102.
    At 100: 60 wanted, 35 offered. At 101: 30 and 35. At 102: 10 and 75. At 98: 60 and 15.
    35 trade at 100 and leave 25 to buy.
    """
    alice = call.rest(ALICE, BUY, 103, 10)
    bob = call.rest(BOB, BUY, 101, 20)
    carol = call.rest(CAROL, BUY, 100, 30)
    first = call.rest(CAROL, SELL, 98, 15, self_trade_prevention=STP.CANCEL_OLDEST)
    second = call.rest(BOB, SELL, 100, 20, self_trade_prevention=STP.REDUCE_BOTH)
    call.rest(ALICE, SELL, 102, 40)
    call.cancel(BOB, second)
    third = call.rest(ALICE_TOO, SELL, 100, 20)
    call.cancel(ALICE, alice)
    fourth = call.rest(BOB, BUY, 103, 10)
    events = call.phase(Phase.CONTINUOUS)
    assert events[0] == AuctionUncrossed(GOLD, 100, 35)
    assert [
        (e.maker_order_id, e.taker_order_id, e.quantity_lots, e.price_ticks, e.kind)
        for e in events[1:5]
        if isinstance(e, Filled)
    ] == [
        (first, fourth, 10, 100, FillKind.AUCTION),
        (bob, first, 5, 100, FillKind.AUCTION),
        (bob, third, 15, 100, FillKind.AUCTION),
        (carol, third, 5, 100, FillKind.AUCTION),
    ]
    assert events[5:] == (PhaseChanged(GOLD, Phase.CONTINUOUS),)
    assert call.open_orders()[carol] == 25


def test_nobody_takes_in_an_auction_so_both_pay_the_makers_rate_or_nothing() -> None:
    for maker_ppm, fee in ((100_000, 100), (-100_000, 0)):
        market = Market(opening())
        market.do(gold(maker_fee_ppm=maker_ppm, taker_fee_ppm=200_000))
        market.phase(Phase.OPENING_AUCTION)
        market.rest(ALICE, BUY, 100, 1)
        market.rest(BOB, SELL, 100, 1)
        filled = market.phase(Phase.CONTINUOUS)[1]
        assert isinstance(filled, Filled)
        assert (filled.maker_fee_units, filled.taker_fee_units) == (fee, fee)
        assert market.gained(ALICE) == {XAU: 100, KRW: -1_000 - fee}
        assert market.gained(BOB) == {XAU: -100, KRW: 1_000 - fee}


def test_market_orders_come_first_and_hold_the_upper_bound(call: Market) -> None:
    limited = call.rest(ALICE, BUY, 120, 5)
    market = call.rest(BOB, BUY, 0, 5, kind=MARKET, time_in_force=AT_THE_OPEN)
    assert call.balances(BOB)[KRW][1] == 5 * 120 * 10
    assert call.book().bids == ((120, 5, 1),)
    call.rest(CAROL, SELL, 90, 7)
    events = call.phase(Phase.CONTINUOUS)
    # 10 wanted at 90 to 120 and 7 offered: pressure to buy takes the highest.
    assert events[0] == AuctionUncrossed(GOLD, 120, 7)
    fills = [event for event in events if isinstance(event, Filled)]
    assert [(fill.maker_order_id, fill.quantity_lots) for fill in fills] == [
        (market, 5),
        (limited, 2),
    ]
    assert call.balances(BOB)[KRW] == (1_000_000 - 6_000, 0)


def test_what_an_auction_leaves_of_orders_for_it_ends(call: Market) -> None:
    whole = call.rest(ALICE, BUY, 0, 5, kind=MARKET, time_in_force=DAY)
    opening_only = call.rest(BOB, BUY, 99, 5, time_in_force=AT_THE_OPEN)
    lasting = call.rest(CAROL, BUY, 98, 5)
    events = call.phase(Phase.CONTINUOUS)
    assert events == (
        AuctionUncrossed(GOLD, 0, 0),
        PhaseChanged(GOLD, Phase.CONTINUOUS),
        OrderCancelled(whole, ALICE, GOLD, CancelReason.UNCROSSED, 5),
        OrderCancelled(opening_only, BOB, GOLD, CancelReason.UNCROSSED, 5),
    )
    assert call.open_orders() == {lasting: 5}


def test_indicative_price_is_told_each_second_when_it_has_changed(call: Market) -> None:
    call.rest(ALICE, BUY, 102, 5)
    call.rest(BOB, SELL, 98, 3)
    events = call.advance()
    assert events[:-1] == (IndicativeChanged(GOLD, 102, 3, 2),)
    began_ns = call.time_ns
    assert call.advance()[:-1] == ()
    assert call.time_ns == began_ns + SECOND_NS
    call.rest(CAROL, SELL, 98, 2)
    assert call.advance()[:-1] == (IndicativeChanged(GOLD, 100, 5, 0),)


@pytest.mark.parametrize(("draw", "later_ns"), [(0, 0), (2**31, 15 * SECOND_NS), (2**32 - 1, None)])
def test_auction_ends_at_random_within_its_bound(draw: int, later_ns: int | None) -> None:
    """The end is moved by what the sequencer draws at the set end: nobody knows it before."""
    bound_ns = 30 * SECOND_NS
    market = Market(opening())
    market.do(gold(random_end_ns=bound_ns))
    market.phase(Phase.OPENING_AUCTION, 10 * SECOND_NS)
    ends_ns = market.time_ns + 10 * SECOND_NS
    phases: list[PhaseChanged] = []
    while not phases:
        events = market.advance(draw)
        phases = [event for event in events if isinstance(event, PhaseChanged)]
    assert phases == [PhaseChanged(GOLD, Phase.CONTINUOUS)]
    if later_ns is not None:
        assert market.time_ns == ends_ns + later_ns
    assert ends_ns <= market.time_ns < ends_ns + bound_ns


def test_closing_auction_ends_the_day(call: Market) -> None:
    call.phase(Phase.CONTINUOUS)
    waiting = call.place(ALICE, BUY, 0, 4, kind=MARKET, time_in_force=AT_THE_CLOSE)
    parked = waiting[0]
    assert isinstance(parked, OrderAccepted)
    assert waiting[1:] == (OrderParked(parked.order_id, ALICE, GOLD, 0),)
    conditional = call.rest(BOB, BUY, 90, 4, kind=CONDITIONAL, time_in_force=DAY)
    resting = call.rest(CAROL, SELL, 110, 6)
    day = call.rest(CAROL, SELL, 111, 1, time_in_force=DAY)
    assert call.phase(Phase.CLOSING_AUCTION, 10 * MINUTE_NS)[1:] == (
        OrderActivated(parked.order_id, ALICE, GOLD, MARKET, 0),
        OrderActivated(conditional, BOB, GOLD, MARKET, 0),
    )
    events: tuple[object, ...] = ()
    while not any(isinstance(event, AuctionUncrossed) for event in events):
        events = call.advance()
    # 8 wanted at any price: 6 offered up to 110, 7 up to 111: one more trades at 111.
    assert events[0] == AuctionUncrossed(GOLD, 111, 7)
    assert events[4:-1] == (
        PhaseChanged(GOLD, Phase.CLOSED),
        OrderCancelled(conditional, BOB, GOLD, CancelReason.EXPIRED, 1),
    )
    fills = [event for event in events if isinstance(event, Filled)]
    assert [(fill.maker_order_id, fill.taker_order_id, fill.quantity_lots) for fill in fills] == [
        (parked.order_id, resting, 4),
        (conditional, resting, 2),
        (conditional, day, 1),
    ]
    assert call.open_orders() == {}
    call.refuses(order(ALICE, BUY, 100, 1), Refusal.MARKET_CLOSED)


def test_conditional_limit_stays_what_it_is_when_cash_is_short(call: Market) -> None:
    """As a market order 800 lots would hold 800 x 120 x 10 = 960,000 of 1,000,000; then less."""
    call.phase(Phase.CONTINUOUS)
    rich = call.rest(ALICE, BUY, 90, 800, kind=CONDITIONAL, time_in_force=DAY)
    call.rest(BOB, BUY, 90, 1_000, kind=CONDITIONAL, time_in_force=DAY)
    events = call.phase(Phase.CLOSING_AUCTION)
    assert [event for event in events if isinstance(event, OrderActivated)] == [
        OrderActivated(rich, ALICE, GOLD, MARKET, 0)
    ]


def test_own_orders_are_kept_apart_before_the_price_is_final(call: Market) -> None:
    """Without the 5 of one holder on both sides the price is another: all trade at that one."""
    own_buy = call.rest(ALICE, BUY, 110, 5)
    own_sell = call.rest(ALICE_TOO, SELL, 90, 5, self_trade_prevention=STP.CANCEL_BOTH)
    call.rest(BOB, BUY, 101, 3)
    call.rest(CAROL, SELL, 99, 3)
    events = call.phase(Phase.CONTINUOUS)
    assert events[:3] == (
        OrderCancelled(own_buy, ALICE, GOLD, CancelReason.SELF_TRADE, 5),
        OrderCancelled(own_sell, ALICE_TOO, GOLD, CancelReason.SELF_TRADE, 5),
        AuctionUncrossed(GOLD, 100, 3),
    )


def test_iceberg_takes_part_whole_and_shows_anew_behind_its_price(call: Market) -> None:
    iceberg = call.rest(ALICE, SELL, 100, 10, terms=OrderTerms(display_lots=3))
    behind = call.rest(CAROL, SELL, 100, 2)
    assert call.book().asks == ((100, 5, 2),)
    call.rest(BOB, BUY, 100, 4)
    events = call.phase(Phase.CONTINUOUS)
    assert events[0] == AuctionUncrossed(GOLD, 100, 4)
    assert events[2] == OrderReplenished(iceberg, ALICE, GOLD, 3)
    filled = call.place(BOB, BUY, 100, 1)[1]
    assert isinstance(filled, Filled) and filled.maker_order_id == behind


@pytest.mark.parametrize(
    "changes",
    [
        {"time_in_force": IOC},
        {"post_only": True},
        {"kind": OrderKind.BEST_LIMIT, "price_ticks": 0},
        {"kind": OrderKind.MIDPOINT},
        {"terms": OrderTerms(minimum_lots=1)},
    ],
)
def test_auctions_refuse_what_would_have_to_trade_at_once(
    call: Market, changes: dict[str, object]
) -> None:
    content = {"price_ticks": 100, **changes}
    price = content.pop("price_ticks")
    assert isinstance(price, int)
    call.refuses(order(ALICE, BUY, price, 1, **content), Refusal.NOT_IN_THIS_PHASE)


def test_continuous_trading_refuses_what_is_for_auctions(market: Market) -> None:
    for_opening = order(ALICE, BUY, 100, 1, time_in_force=AT_THE_OPEN)
    market.refuses(for_opening, Refusal.NOT_IN_THIS_PHASE)
    market.phase(Phase.CONTINUOUS_24H)
    for changes in (
        {"time_in_force": AT_THE_CLOSE},
        {"kind": CONDITIONAL, "time_in_force": DAY},
    ):
        market.refuses(order(ALICE, BUY, 100, 1, **changes), Refusal.NOT_IN_THIS_PHASE)


def test_crossed_book_of_a_halt_trades_when_trading_resumes(call: Market) -> None:
    call.rest(ALICE, BUY, 101, 1)
    call.rest(BOB, SELL, 99, 1, time_in_force=GTC)
    assert call.phase(Phase.HALTED) == (PhaseChanged(GOLD, Phase.HALTED),)
    events = call.phase(Phase.CONTINUOUS)
    assert events[0] == AuctionUncrossed(GOLD, 100, 1)


def test_decision_that_is_sent_again_begins_no_auction_anew(call: Market) -> None:
    decided = SetPhase(GOLD, Phase.OPENING_AUCTION, call.time_ns, call.time_ns + 2 * SECOND_NS)
    call.do(decided)
    while PhaseChanged(GOLD, Phase.CONTINUOUS) not in call.advance():
        pass
    assert call.do(decided) == (PhaseChanged(GOLD, Phase.CONTINUOUS),)
    halted = SetPhase(GOLD, Phase.HALTED, decided.decided_at_ns)
    assert call.do(halted) == (PhaseChanged(GOLD, Phase.HALTED),)

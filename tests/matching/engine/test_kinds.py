"""Order kinds and terms beside the limit order: what each holds, where it stands, how it ends."""

import pytest

from matching.protocol.commands import (
    AmendOrder,
    CancelAll,
    OrderTerms,
    Sequenced,
    SetFeeTier,
    SetHeartbeat,
    SetKillSwitch,
)
from matching.protocol.events import (
    Advanced,
    AnyEvent,
    FeeTierChanged,
    Filled,
    HeartbeatMissed,
    HeartbeatSet,
    KillSwitchChanged,
    OrderAccepted,
    OrderCancelled,
    OrderRepeated,
    OrderReplenished,
    OrdersCancelled,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    Allocation,
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
    FOK,
    GOLD,
    IOC,
    KRW,
    MARKET,
    SECOND_NS,
    SELL,
    SHARES,
    Market,
    fills,
    gold,
    opening,
    order,
)

BEST, TOP = OrderKind.BEST_LIMIT, OrderKind.TOP_PRIORITY_LIMIT
MIDPOINT = OrderKind.MIDPOINT
GTD = TimeInForce.GTD


def replenished(events: tuple[AnyEvent, ...]) -> list[int]:
    return [event.visible_lots for event in events if isinstance(event, OrderReplenished)]


def test_iceberg_shows_a_part_and_goes_behind_when_it_is_used_up(market: Market) -> None:
    iceberg = market.rest(ALICE, SELL, 100, 10, terms=OrderTerms(display_lots=4))
    behind = market.rest(BOB, SELL, 100, 5)
    assert market.book().asks == ((100, 9, 2),)
    events = market.place(CAROL, BUY, 100, 6)
    assert fills(events) == [(iceberg, 100, 4), (behind, 100, 2)]
    assert replenished(events) == [4]
    assert market.book().asks == ((100, 7, 2),)
    events = market.place(CAROL, BUY, 100, 9)
    assert fills(events) == [(behind, 100, 3), (iceberg, 100, 4), (iceberg, 100, 2)]
    assert replenished(events) == [2]
    assert market.open_orders() == {}


def test_iceberg_shows_a_hundredth_at_least(market: Market) -> None:
    """One that showed a lot of many thousands would be thousands of fills for one taker."""
    small = OrderTerms(display_lots=1)
    market.refuses(order(ALICE, SELL, 100, 101, terms=small), Refusal.MALFORMED)
    iceberg = market.rest(ALICE, SELL, 100, 100, terms=small)
    market.refuses(AmendOrder(ALICE, iceberg, 100, 101), Refusal.QUANTITY_TOO_LARGE)


def test_amend_of_an_iceberg_takes_from_what_is_hidden_first(market: Market) -> None:
    iceberg = market.rest(ALICE, SELL, 100, 10, terms=OrderTerms(display_lots=4))
    market.amend(ALICE, iceberg, 100, 5)
    assert market.book().asks == ((100, 4, 1),)
    market.amend(ALICE, iceberg, 100, 3)
    assert market.book().asks == ((100, 3, 1),)


def test_best_limit_takes_the_other_sides_best_price_and_rests_there(market: Market) -> None:
    market.refuses(order(ALICE, BUY, 0, 3, kind=BEST), Refusal.NO_REFERENCE_PRICE)
    market.rest(BOB, SELL, 101, 2)
    market.rest(BOB, SELL, 102, 5)
    content = {"kind": BEST, "client_order_id": "best"}
    events = market.place(ALICE, BUY, 0, 3, **content)
    assert isinstance(events[0], OrderAccepted) and events[0].price_ticks == 101
    assert fills(events) == [(fills(events)[0][0], 101, 2)]
    assert market.book().bids == ((101, 1, 1),)
    repeated = market.place(ALICE, BUY, 0, 3, **content)
    assert repeated == (OrderRepeated(events[0].order_id, ALICE, "best"),)


def test_top_priority_limit_joins_its_own_sides_best_price(market: Market) -> None:
    market.refuses(order(ALICE, BUY, 0, 3, kind=TOP), Refusal.NO_REFERENCE_PRICE)
    market.rest(BOB, BUY, 99, 2)
    market.rest(CAROL, SELL, 105, 2)
    market.place(ALICE, BUY, 0, 3, kind=TOP)
    assert market.book().bids == ((99, 5, 2),)


def test_midpoint_orders_trade_unseen_between_the_best_prices(market: Market) -> None:
    market.rest(CAROL, BUY, 98, 1)
    market.rest(CAROL, SELL, 103, 1, self_trade_prevention=SelfTradePrevention.CANCEL_OLDEST)
    seller = market.rest(BOB, SELL, 99, 4, kind=MIDPOINT)
    assert market.book().asks == ((103, 1, 1),)
    events = market.place(ALICE, BUY, 102, 3, kind=MIDPOINT)
    filled = events[1]
    assert isinstance(filled, Filled)
    # The middle of 98 and 103, rounded down.
    assert (filled.maker_order_id, filled.price_ticks, filled.kind) == (
        seller, 100, FillKind.MIDPOINT,
    )  # fmt: skip
    # An ordinary order meets what is left of it before the worse level.
    events = market.place(ALICE, BUY, 103, 2)
    assert fills(events)[0] == (seller, 100, 1)
    assert fills(events)[1][1:] == (103, 1)


def test_best_limit_goes_first_among_midpoints(market: Market) -> None:
    market.rest(CAROL, BUY, 98, 1)
    market.rest(CAROL, SELL, 102, 1)
    dear = market.rest(BOB, SELL, 100, 1, kind=MIDPOINT)
    cheap = market.rest(BOB, SELL, 95, 1, kind=MIDPOINT)
    assert fills(market.place(ALICE, BUY, 101, 2)) == [(cheap, 100, 1), (dear, 100, 1)]


def test_midpoints_that_waited_meet_when_the_middle_moves(market: Market) -> None:
    market.rest(CAROL, BUY, 90, 1)
    market.rest(CAROL, SELL, 110, 1)
    buyer = market.rest(ALICE, BUY, 97, 2, kind=MIDPOINT)
    seller = market.rest(BOB, SELL, 95, 2, kind=MIDPOINT)
    events = market.place(CAROL, SELL, 102, 1)
    filled = events[1]
    assert isinstance(filled, Filled)
    assert (filled.maker_order_id, filled.taker_order_id, filled.price_ticks) == (buyer, seller, 96)


def test_minimum_quantity_trades_at_once_or_the_order_is_refused(market: Market) -> None:
    market.rest(BOB, SELL, 100, 3)
    market.rest(BOB, SELL, 101, 3)
    terms = OrderTerms(minimum_lots=4)
    market.refuses(order(ALICE, BUY, 100, 9, terms=terms), Refusal.MINIMUM_UNFILLABLE)
    events = market.place(ALICE, BUY, 101, 9, terms=terms)
    assert [lots for _, _, lots in fills(events)] == [3, 3]
    assert market.book().bids == ((101, 3, 1),)


def test_market_order_by_cash_spends_no_more_than_its_amount(market: Market) -> None:
    """A taker fee of 1 % at 10 a tick-lot: a lot at 100 costs 1,010, one at 101 1,020."""
    market.do(gold(taker_fee_ppm=10_000))
    market.rest(BOB, SELL, 100, 2)
    market.rest(BOB, SELL, 101, 9)
    terms = OrderTerms(cash_units=4_059)
    events = market.place(ALICE, BUY, 0, 1_000, kind=MARKET, time_in_force=IOC, terms=terms)
    assert [(price, lots) for _, price, lots in fills(events)] == [(100, 2), (101, 1)]
    assert isinstance(events[-1], OrderCancelled)
    assert (events[-1].reason, events[-1].remaining_lots) == (CancelReason.CASH_SPENT, 997)
    assert market.gained(ALICE)[KRW] == -(2_020 + 1_020)


def test_good_till_date_expires_at_its_time(market: Market) -> None:
    until_ns = market.time_ns + 60 * SECOND_NS
    terms = OrderTerms(expires_at_ns=until_ns)
    resting = market.rest(ALICE, BUY, 100, 1, time_in_force=GTD, terms=terms)
    other = market.rest(ALICE, BUY, 100, 1, time_in_force=GTD, terms=terms)
    market.cancel(ALICE, other)
    assert market.advance() == (
        OrderCancelled(resting, ALICE, GOLD, CancelReason.EXPIRED, 1),
        Advanced(),
    )
    assert market.time_ns == until_ns
    market.refuses(order(ALICE, BUY, 100, 1, time_in_force=GTD, terms=terms), Refusal.EXPIRY_PASSED)


def test_day_order_ends_at_midnight_in_seoul_or_at_the_close(market: Market) -> None:
    night = market.rest(ALICE, BUY, 100, 1, time_in_force=DAY)
    assert OrderCancelled(night, ALICE, GOLD, CancelReason.EXPIRED, 1) in market.advance()
    assert (market.time_ns + 9 * 3_600 * SECOND_NS) % (86_400 * SECOND_NS) == 0
    day = market.rest(ALICE, BUY, 100, 1, time_in_force=DAY)
    lasting = market.rest(ALICE, BUY, 100, 1)
    ended = OrderCancelled(day, ALICE, GOLD, CancelReason.EXPIRED, 1)
    assert ended in market.phase(Phase.CLOSED)
    assert market.open_orders() == {lasting: 1}


def test_pro_rata_shares_by_size_and_leaves_the_rest_to_the_oldest(market: Market) -> None:
    """10 of 30 + 50 + 20: floor(10 x 30 / 100) = 3, 5 and 2; 11: 3, 5, 2 and 1 to the oldest."""
    market.do(gold(allocation=Allocation.PRO_RATA))
    ids = [
        market.rest(account, SELL, 100, lots)
        for account, lots in ((ALICE, 30), (BOB, 50), (ALICE_TOO, 20))
    ]
    assert fills(market.place(CAROL, BUY, 100, 10)) == [
        (ids[0], 100, 3), (ids[1], 100, 5), (ids[2], 100, 2),
    ]  # fmt: skip
    # 27, 45, 18 are left, of 90: floor(11 x 27 / 90) = 3, 5, 2, and 1 more.
    assert fills(market.place(CAROL, BUY, 100, 11)) == [
        (ids[0], 100, 4), (ids[1], 100, 5), (ids[2], 100, 2),
    ]  # fmt: skip


def test_collar_keeps_a_slip_of_the_finger_out(market: Market) -> None:
    """5 % around a reference of 1,000: to buy at most 1,050, to sell at least 950."""
    market.do(gold(base_price_ticks=1_000, collar_ppm=50_000))
    market.rest(ALICE, BUY, 10, 1)
    market.rest(BOB, SELL, 9_000, 1)
    market.refuses(order(ALICE, BUY, 1_051, 1), Refusal.PRICE_OUTSIDE_COLLAR)
    market.refuses(order(ALICE, SELL, 949, 1), Refusal.PRICE_OUTSIDE_COLLAR)
    resting = market.rest(ALICE, BUY, 1_050, 1)
    market.refuses(AmendOrder(ALICE, resting, 1_051, 1), Refusal.PRICE_OUTSIDE_COLLAR)


def test_largest_value_of_an_order(market: Market) -> None:
    market.do(gold(notional_units_max=50_000))
    market.rest(ALICE, BUY, 100, 50)
    market.refuses(order(ALICE, BUY, 100, 51), Refusal.VALUE_TOO_LARGE)
    market.refuses(order(ALICE, SELL, 101, 50), Refusal.VALUE_TOO_LARGE)
    market.place(BOB, SELL, 100, 1)
    at_once = {"kind": MARKET, "time_in_force": IOC}
    for side in (BUY, SELL):
        market.refuses(order(CAROL, side, 0, 51, **at_once), Refusal.VALUE_TOO_LARGE)
    spending = OrderTerms(cash_units=50_001)
    by_cash = order(CAROL, BUY, 0, 1, terms=spending, **at_once)
    market.refuses(by_cash, Refusal.VALUE_TOO_LARGE)


def test_fee_tiers_go_by_holder_and_a_rebate_stays_within_the_takers_fee() -> None:
    market = Market(opening())
    market.do(gold(maker_fee_ppm=1_000, taker_fee_ppm=3_000, fee_tiers=((0, 2_000), (-500, 1_000))))
    assert market.do(SetFeeTier(100, 9)) == (FeeTierChanged(100, 9),)
    market.rest(ALICE, SELL, 100, 10)
    filled = market.place(BOB, BUY, 100, 10)[1]
    assert isinstance(filled, Filled)
    # 10,000 units: a rebate of 500 ppm, and the definition's own taker rate of 3,000 ppm.
    assert (filled.maker_fee_units, filled.taker_fee_units) == (-5, 30)
    market.do(SetFeeTier(101, 1))
    market.rest(BOB, SELL, 100, 10)
    filled = market.place(ALICE_TOO, BUY, 100, 10)[1]
    assert isinstance(filled, Filled)
    assert (filled.maker_fee_units, filled.taker_fee_units) == (0, 10)


def test_cancel_all_by_side_and_tag(market: Market) -> None:
    strategy = OrderTerms(tag="grid")
    kept = market.rest(ALICE, BUY, 90, 1)
    tagged = market.rest(ALICE, BUY, 91, 1, terms=strategy)
    selling = market.rest(ALICE, SELL, 110, 1, terms=strategy)
    events = market.do(CancelAll(ALICE, 0, BUY, "grid"))
    assert events == (
        OrderCancelled(tagged, ALICE, GOLD, CancelReason.REQUESTED, 1),
        OrdersCancelled(ALICE, 1),
    )
    others = market.rest(BOB, SELL, 111, 1)
    assert market.do(CancelAll(0, GOLD, SELL))[-1] == OrdersCancelled(0, 2)
    assert market.open_orders() == {kept: 1}
    assert selling and others
    market.refuses(CancelAll(ALICE, 0, 3), Refusal.MALFORMED)


def test_missed_heartbeat_cancels_all_and_ends(market: Market) -> None:
    resting = market.rest(ALICE, BUY, 90, 1)
    other = market.rest(ALICE, BUY, 90, 1, instrument=SHARES)
    theirs = market.rest(BOB, BUY, 90, 1)
    due_ns = market.time_ns + 1 + 5 * SECOND_NS
    assert market.do(SetHeartbeat(ALICE, 5 * SECOND_NS)) == (HeartbeatSet(ALICE, due_ns),)
    market.time_ns += 4 * SECOND_NS
    market.do(SetHeartbeat(ALICE, 5 * SECOND_NS))
    events = market.advance()
    assert market.time_ns == due_ns + 1 + 4 * SECOND_NS
    assert events == (
        HeartbeatMissed(ALICE),
        OrderCancelled(resting, ALICE, GOLD, CancelReason.DISCONNECTED, 1),
        OrderCancelled(other, ALICE, SHARES, CancelReason.DISCONNECTED, 1),
        Advanced(),
    )
    assert market.open_orders() == {theirs: 1}
    market.do(SetHeartbeat(ALICE, SECOND_NS))
    assert market.do(SetHeartbeat(ALICE, 0)) == (HeartbeatSet(ALICE, 0),)


def test_missed_heartbeat_cancels_in_closed_markets_too(market: Market) -> None:
    """Nobody would be there when they open."""
    resting = market.rest(ALICE, BUY, 90, 1)
    market.do(SetHeartbeat(ALICE, SECOND_NS))
    market.phase(Phase.CLOSED)
    ended = OrderCancelled(resting, ALICE, GOLD, CancelReason.DISCONNECTED, 1)
    assert ended in market.advance()


def test_all_that_has_expired_ends_before_anything_else(market: Market) -> None:
    terms = OrderTerms(expires_at_ns=market.time_ns + 60 * SECOND_NS)
    for _ in range(1_100):
        market.engine.apply(
            Sequenced(
                market.engine.sequence + 1,
                (at_ns := market.engine.time_ns + 1),
                order(
                    ALICE, SELL, 100, 1, time_in_force=GTD, terms=terms,
                    client_order_id=f"gtd-{at_ns}",
                ),
            )
        )  # fmt: skip
    market.time_ns = market.engine.time_ns
    assert len(market.advance()) == 1_101
    assert market.open_orders() == {}


def test_kill_switch_of_an_account(market: Market) -> None:
    resting = market.rest(ALICE, BUY, 90, 1)
    market.phase(Phase.CLOSED)
    assert market.do(SetKillSwitch(ALICE, 0, True)) == (
        KillSwitchChanged(ALICE, 0, True),
        OrderCancelled(resting, ALICE, GOLD, CancelReason.KILLED, 1),
    )
    market.phase(Phase.CONTINUOUS)
    market.refuses(order(ALICE, BUY, 90, 1), Refusal.KILL_SWITCH)
    market.rest(ALICE_TOO, BUY, 90, 1)
    market.do(SetKillSwitch(ALICE, 0, False))
    market.rest(ALICE, BUY, 90, 1)


def test_kill_switch_of_a_market(market: Market) -> None:
    market.rest(ALICE, BUY, 90, 1)
    events = market.do(SetKillSwitch(0, GOLD, True))
    assert events[0] == KillSwitchChanged(0, GOLD, True)
    market.refuses(order(ALICE, BUY, 90, 1), Refusal.KILL_SWITCH)
    market.phase(Phase.CONTINUOUS_24H)
    market.refuses(order(ALICE, BUY, 90, 1), Refusal.KILL_SWITCH)
    market.rest(ALICE, BUY, 90, 1, instrument=SHARES)
    market.do(SetKillSwitch(0, GOLD, False))
    market.rest(ALICE, BUY, 90, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": MARKET, "price_ticks": 0, "time_in_force": TimeInForce.GTC},
        {"kind": OrderKind.STOP, "price_ticks": 0},
        {"kind": OrderKind.STOP_LIMIT},
        {"kind": OrderKind.TRAILING_STOP, "price_ticks": 0},
        {"kind": OrderKind.CONDITIONAL_LIMIT},
        {"kind": MIDPOINT, "time_in_force": FOK},
        {"time_in_force": GTD},
        {"terms": OrderTerms()},
        {"terms": OrderTerms(stop_price_ticks=100)},
        {"terms": OrderTerms(trail_ticks=1)},
        {"terms": OrderTerms(display_lots=2)},
        {"terms": OrderTerms(minimum_lots=2)},
        {"terms": OrderTerms(cash_units=1)},
        {"terms": OrderTerms(expires_at_ns=2**63)},
        {"terms": OrderTerms(tag="x" * 17)},
        {"terms": OrderTerms(pair="no such thing")},
        {"post_only": True, "time_in_force": IOC},
        {"post_only": True, "terms": OrderTerms(minimum_lots=1)},
    ],
)
def test_terms_that_do_not_go_together_are_malformed(
    market: Market, changes: dict[str, object]
) -> None:
    content = {"price_ticks": 100, **changes}
    price = content.pop("price_ticks")
    assert isinstance(price, int)
    market.refuses(order(ALICE, BUY, price, 1, **content), Refusal.MALFORMED)

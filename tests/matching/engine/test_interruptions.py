"""Volatility interruption and circuit breaker, worked by hand.

Source of the figures: KRX (global.krx.co.kr), "Market stabilization". The dynamic interruption goes
by the last trade (3 % for large, 6 % for other stocks; 2 % and 4 % in the closing auction), the
static one by the last single price (10 %), each a call auction of two minutes. The circuit breaker:
-8 %, -15 % and -20 % of the index held for one minute, the later stages 1 % below where the one
before tripped, 20 minutes' halt, then a call of 10; the first two not in the last 40 minutes, the
third closes the market.
"""

import pytest

from matching.protocol.commands import (
    BeginSession,
    BreakerStage,
    DefineSegment,
    OrderTerms,
    SetPhase,
)
from matching.protocol.events import (
    Advanced,
    AnyEvent,
    AuctionUncrossed,
    BreakerTripped,
    Filled,
    MarketInterrupted,
    OrderAccepted,
    OrderCancelled,
    PhaseChanged,
    SegmentDefined,
    SessionBegun,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import CancelReason, Interruption, OrderKind, Phase
from tests.matching.market import (
    ALICE,
    BOB,
    BUY,
    CAROL,
    FOK,
    GOLD,
    IOC,
    MARKET,
    MINUTE_NS,
    SECOND_NS,
    SELL,
    SHARES,
    Market,
    fills,
    gold,
    opening,
    order,
    shares,
)

TWO_MINUTES_NS = 2 * MINUTE_NS
STATIC, DYNAMIC = Interruption.STATIC, Interruption.DYNAMIC
VI = Phase.VOLATILITY_AUCTION


def volatile(**changes: int) -> Market:
    """Gold at a base price of 1,000 ticks, with KRX's bounds of a large stock."""
    rules = {
        "base_price_ticks": 1_000,
        "dynamic_ppm": 30_000,
        "static_ppm": 100_000,
        "closing_dynamic_ppm": 20_000,
        "volatility_auction_ns": TWO_MINUTES_NS,
    }
    market = Market(opening())
    market.do(gold(**(rules | changes)))
    return market


def trade(market: Market, price: int) -> None:
    """Let one lot trade at a price."""
    market.place(BOB, SELL, price, 1)
    events = market.place(CAROL, BUY, price, 1)
    assert isinstance(events[1], Filled), events


def test_trade_three_per_cent_away_is_interrupted_and_less_is_not() -> None:
    """3 % of 1,000 is 30: 1,029 trades, 1,030 does not, seen from 1,000."""
    market = volatile()
    market.rest(BOB, SELL, 1_029, 1)
    market.rest(BOB, SELL, 1_030, 1)
    events = market.place(ALICE, BUY, 1_030, 3)
    assert fills(events) == [(events[1].maker_order_id, 1_029, 1)]  # type: ignore[union-attr]
    ends_at_ns = market.time_ns + TWO_MINUTES_NS
    assert events[2:] == (
        MarketInterrupted(GOLD, DYNAMIC, 1_000, 1_030),
        PhaseChanged(GOLD, VI, ends_at_ns),
    )
    taker = events[0]
    assert isinstance(taker, OrderAccepted)
    assert market.open_orders()[taker.order_id] == 2


def test_interruption_ends_in_an_auction_and_trading_goes_on_from_its_price() -> None:
    market = volatile()
    market.rest(BOB, SELL, 1_050, 5)
    market.place(ALICE, BUY, 1_050, 2)
    told: tuple[AnyEvent, ...] = ()
    while not any(isinstance(event, AuctionUncrossed) for event in told):
        told = market.advance()
    assert told[0] == AuctionUncrossed(GOLD, 1_050, 2)
    assert told[2] == PhaseChanged(GOLD, Phase.CONTINUOUS)
    # Static and dynamic reference are 1,050 now: 31 ticks away still trade, 32 (3 %) do not.
    assert len(market.place(ALICE, BUY, 1_081, 1)) == 2
    trade(market, 1_081)


def test_fall_is_bounded_like_a_rise() -> None:
    market = volatile()
    market.rest(ALICE, BUY, 971, 1)
    market.rest(ALICE, BUY, 970, 1)
    events = market.place(BOB, SELL, 1, 2, kind=OrderKind.LIMIT)
    assert isinstance(events[1], Filled) and events[1].price_ticks == 971
    assert events[2] == MarketInterrupted(GOLD, DYNAMIC, 1_000, 970)


def test_bounds_hold_on_the_favourable_side_too() -> None:
    """A forgotten offer far below the last price is interrupted like one far above it."""
    market = volatile()
    market.rest(BOB, SELL, 970, 1)
    events = market.place(ALICE, BUY, 1_000, 1)
    assert events[1] == MarketInterrupted(GOLD, DYNAMIC, 1_000, 970)


def test_static_bound_goes_by_the_last_auction_however_small_the_steps() -> None:
    """By steps of 2 % the price comes to 1,099; 1,100 is 10 % from the base: static."""
    market = volatile()
    for price in (1_020, 1_040, 1_060, 1_080, 1_099):
        trade(market, price)
    market.rest(BOB, SELL, 1_100, 1)
    events = market.place(ALICE, BUY, 1_100, 1)
    assert events[1] == MarketInterrupted(GOLD, STATIC, 1_000, 1_100)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [({"time_in_force": IOC}, False), ({}, True)],
)
def test_rest_of_the_interrupted_order_goes_by_its_time_in_force(
    changes: dict[str, object], kept: bool
) -> None:
    market = volatile()
    market.rest(BOB, SELL, 1_030, 1)
    events = market.place(ALICE, BUY, 1_030, 1, **changes)
    taker = events[0]
    assert isinstance(taker, OrderAccepted)
    assert (taker.order_id in market.open_orders()) == kept
    ended = OrderCancelled(taker.order_id, ALICE, GOLD, CancelReason.INTERRUPTED, 1)
    assert (ended in events) != kept
    assert market.engine.due_ns


def test_market_order_is_interrupted_only_by_what_it_could_pay() -> None:
    """Nobody without the money for one lot stops a market."""
    market = volatile()
    market.rest(BOB, SELL, 1_100, 1)
    spending = OrderTerms(cash_units=10_999)
    events = market.place(ALICE, BUY, 0, 5, kind=MARKET, time_in_force=IOC, terms=spending)
    assert isinstance(events[1], OrderCancelled)
    assert events[1].reason is CancelReason.CASH_SPENT
    assert len(events) == 2
    spending = OrderTerms(cash_units=11_000)
    events = market.place(ALICE, BUY, 0, 5, kind=MARKET, time_in_force=IOC, terms=spending)
    assert [type(event) for event in events[1:]] == [
        OrderCancelled, MarketInterrupted, PhaseChanged,
    ]  # fmt: skip


def test_fill_or_kill_and_minimum_count_no_lots_beyond_the_bound() -> None:
    market = volatile()
    market.rest(BOB, SELL, 1_000, 1)
    market.rest(BOB, SELL, 1_030, 1)
    whole = order(ALICE, BUY, 1_030, 2, time_in_force=FOK)
    market.refuses(whole, Refusal.FILL_OR_KILL_UNFILLABLE)
    least = order(ALICE, BUY, 1_030, 2, terms=OrderTerms(minimum_lots=2))
    market.refuses(least, Refusal.MINIMUM_UNFILLABLE)


def test_closing_auction_goes_on_once_when_its_price_is_two_per_cent_away() -> None:
    market = volatile()
    trade(market, 1_000)
    market.phase(Phase.CLOSING_AUCTION, 10 * MINUTE_NS)
    market.rest(BOB, SELL, 1_020, 1)
    market.rest(ALICE, BUY, 1_020, 1)
    told: tuple[AnyEvent, ...] = ()
    while not any(isinstance(event, MarketInterrupted) for event in told):
        told = market.advance()
    ends_at_ns = market.time_ns + TWO_MINUTES_NS
    assert told[:2] == (
        MarketInterrupted(GOLD, DYNAMIC, 1_000, 1_020),
        PhaseChanged(GOLD, Phase.CLOSING_AUCTION, ends_at_ns),
    )
    while not any(isinstance(event, AuctionUncrossed) for event in told):
        told = market.advance()
    assert market.time_ns == ends_at_ns
    assert told[0] == AuctionUncrossed(GOLD, 1_020, 1)
    assert PhaseChanged(GOLD, Phase.CLOSED) in told


def test_opening_auction_goes_on_once_when_its_price_is_ten_per_cent_away() -> None:
    market = volatile()
    market.phase(Phase.OPENING_AUCTION, 30 * MINUTE_NS)
    market.rest(BOB, SELL, 900, 1)
    market.rest(ALICE, BUY, 900, 1)
    told: tuple[AnyEvent, ...] = ()
    while not any(isinstance(event, MarketInterrupted) for event in told):
        told = market.advance()
    assert told[0] == MarketInterrupted(GOLD, STATIC, 1_000, 900)


def test_volatility_auction_of_a_market_round_the_clock_ends_into_it() -> None:
    market = volatile()
    market.phase(Phase.CONTINUOUS_24H)
    market.rest(BOB, SELL, 1_030, 1)
    market.place(ALICE, BUY, 1_030, 1)
    told: tuple[AnyEvent, ...] = ()
    while not any(isinstance(event, PhaseChanged) for event in told):
        told = market.advance()
    assert PhaseChanged(GOLD, Phase.CONTINUOUS_24H) in told


KRX = (
    BreakerStage(80_000, 0, 20 * MINUTE_NS, 10 * MINUTE_NS),
    BreakerStage(150_000, 10_000, 20 * MINUTE_NS, 10 * MINUTE_NS),
    BreakerStage(200_000, 10_000, 0, 0, closes=True),
)
SEGMENT = 7


def segmented(closes_in_ns: int = 6 * 60 * MINUTE_NS) -> Market:
    """Gold (1,000 ticks, weight 2) and shares (500 ticks, weight 6): an index of 5,000."""
    market = Market(opening())
    market.do(gold(base_price_ticks=1_000))
    market.do(shares(base_price_ticks=500))
    definition = DefineSegment(SEGMENT, ((GOLD, 2), (SHARES, 6)), KRX, MINUTE_NS, 40 * MINUTE_NS)
    assert market.do(definition) == (SegmentDefined(definition),)
    closes_at_ns = market.time_ns + closes_in_ns
    begun = market.do(BeginSession(SEGMENT, closes_at_ns))
    assert begun == (SessionBegun(SEGMENT, 5_000, closes_at_ns),)
    return market


def halted_until(market: Market) -> list[PhaseChanged]:
    ends_at_ns = market.time_ns + 20 * MINUTE_NS
    return [PhaseChanged(number, Phase.HALTED, ends_at_ns) for number in (GOLD, SHARES)]


def test_breaker_halts_all_when_the_index_has_stood_eight_per_cent_lower_for_a_minute() -> None:
    """-8 % of 5,000 is 4,600: gold at 800 makes 2 x 800 + 6 x 500 = 4,600."""
    market = segmented()
    trade(market, 801)
    assert market.engine.due_ns > market.time_ns + 60 * MINUTE_NS
    trade(market, 800)
    met_ns = market.time_ns
    told = market.advance()
    assert market.time_ns == met_ns + MINUTE_NS
    assert told == (BreakerTripped(SEGMENT, 1, 5_000, 4_600), *halted_until(market), Advanced())
    market.refuses(order(ALICE, BUY, 800, 1), Refusal.MARKET_HALTED)
    told = market.advance()
    ends_at_ns = market.time_ns + 10 * MINUTE_NS
    assert told[0] == PhaseChanged(GOLD, VI, ends_at_ns)
    assert told[1] == PhaseChanged(SHARES, VI, ends_at_ns)


def test_breaker_forgets_a_fall_that_does_not_last() -> None:
    market = segmented()
    trade(market, 800)
    market.time_ns += 59 * SECOND_NS
    trade(market, 801)
    assert market.engine.due_ns > market.time_ns + 60 * MINUTE_NS
    trade(market, 800)
    met_ns = market.time_ns
    assert isinstance(market.advance()[0], BreakerTripped)
    assert market.time_ns == met_ns + MINUTE_NS


def _trip(market: Market, price: int) -> tuple[AnyEvent, ...]:
    """Bring gold to a price in continuous trading and let the clock come to the breaker."""
    trade(market, price)
    told: tuple[AnyEvent, ...] = ()
    for _ in range(3):
        told = market.advance()
        if isinstance(told[0], BreakerTripped):
            return told
    return told


def test_later_stages_need_one_per_cent_more_and_the_third_closes_the_market() -> None:
    """Stage 2 at 4,250 (-15 %) and 1 % below the first; stage 3 at 4,000 and 1 % below the second.

    Gold falls to 625 at once: 2 x 625 + 3,000 = 4,250; stage 1 trips there. 1 % less is 4,207.5:
    4,208 (gold at 604) is not enough, 4,206 (gold at 603) is. 1 % below 4,206 is 4,163.94, but
    -20 % is 4,000: gold at 500.
    """
    market = segmented()
    assert _trip(market, 625)[0] == BreakerTripped(SEGMENT, 1, 5_000, 4_250)
    _reopen(market)
    trade(market, 604)
    assert market.engine.due_ns > market.time_ns + 60 * MINUTE_NS
    assert _trip(market, 603)[0] == BreakerTripped(SEGMENT, 2, 5_000, 4_206)
    _reopen(market)
    told = _trip(market, 500)
    assert told == (
        BreakerTripped(SEGMENT, 3, 5_000, 4_000),
        PhaseChanged(GOLD, Phase.CLOSED),
        PhaseChanged(SHARES, Phase.CLOSED),
        Advanced(),
    )


def _reopen(market: Market) -> None:
    while PhaseChanged(SHARES, Phase.CONTINUOUS) not in market.advance():
        pass


def test_first_stages_do_not_trip_in_the_last_forty_minutes() -> None:
    market = segmented(closes_in_ns=41 * MINUTE_NS)
    trade(market, 800)
    assert market.advance() == (Advanced(),)
    trade(market, 900)
    assert market.engine.due_ns > market.time_ns + 60 * MINUTE_NS


def test_new_trade_date_begins_from_the_index_of_now_and_a_new_end_does_not() -> None:
    market = segmented()
    _trip(market, 800)
    _reopen(market)
    closes_at_ns = market.time_ns + 60 * MINUTE_NS
    moved = SessionBegun(SEGMENT, 5_000, closes_at_ns)
    assert market.do(BeginSession(SEGMENT, closes_at_ns)) == (moved,)
    trade(market, 700)
    assert market.engine.due_ns > closes_at_ns, "the first stage has tripped already"
    market.time_ns += 24 * 60 * MINUTE_NS
    closes_at_ns = market.time_ns + 60 * MINUTE_NS
    begun = SessionBegun(SEGMENT, 4_400, closes_at_ns)
    assert market.do(BeginSession(SEGMENT, closes_at_ns)) == (begun,)
    before = market.engine.state_hash()
    assert market.do(BeginSession(SEGMENT, closes_at_ns)) == (begun,)
    assert market.engine.state_hash() == before


def test_nothing_of_a_halted_segment_is_opened_before_the_halt_ends() -> None:
    """Not by the calendar, nor by officers who know only of the instrument that they had halted."""
    market = segmented()
    market.do(SetPhase(SHARES, Phase.HALTED))
    _trip(market, 800)
    for number in (GOLD, SHARES):
        market.refuses(SetPhase(number, Phase.CONTINUOUS), Refusal.MARKET_HALTED)
    market.do(SetPhase(SHARES, Phase.CLOSED))
    while PhaseChanged(GOLD, Phase.CONTINUOUS) not in market.advance():
        pass
    market.do(SetPhase(SHARES, Phase.CONTINUOUS))


def test_split_is_no_fall_of_the_index() -> None:
    """Five for one: gold's base price falls to a fifth, and with it what falls are measured from.

    2 x 200 + 6 x 500 = 3,400 is the new index and base; -8 % of it is 3,128: gold at 64.
    """
    market = segmented()
    market.do(gold(base_price_ticks=200))
    assert market.engine.due_ns > market.time_ns + 60 * MINUTE_NS
    trade(market, 65)
    assert market.engine.due_ns > market.time_ns + 60 * MINUTE_NS
    assert _trip(market, 64)[0] == BreakerTripped(SEGMENT, 1, 3_400, 3_128)

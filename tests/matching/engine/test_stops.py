"""Orders that wait: stops, stop limits, trailing stops, pairs."""

from matching.engine import Engine
from matching.protocol.commands import AmendOrder, CancelOrder, OrderTerms
from matching.protocol.events import (
    AnyEvent,
    Filled,
    OrderAccepted,
    OrderActivated,
    OrderAmended,
    OrderCancelled,
    OrderParked,
)
from matching.protocol.queries import GetOpenOrders, OpenOrder, OpenOrders
from matching.protocol.refusals import Refusal
from matching.protocol.units import CancelReason, OrderKind, Phase
from tests.matching.market import (
    ALICE,
    BOB,
    BUY,
    CAROL,
    FUNDS,
    GOLD,
    GTC,
    KRW,
    LIMIT,
    MARKET,
    SELL,
    XAU,
    Market,
    fills,
    gold,
    opening,
    order,
)

STOP, STOP_LIMIT, TRAILING = OrderKind.STOP, OrderKind.STOP_LIMIT, OrderKind.TRAILING_STOP
PAIRED = CancelReason.PAIRED


def priced(**rules: int) -> Market:
    """Gold in a band of 50 to 150 whose last trade was at 100."""
    market = Market(opening())
    market.do(gold(price_ticks_low=50, price_ticks_high=150, **rules))
    trade(market, 100)
    return market


def trade(market: Market, price: int) -> tuple[AnyEvent, ...]:
    """Let one lot trade at a price between BOB and CAROL."""
    market.rest(BOB, SELL, price, 1)
    return market.place(CAROL, BUY, price, 1)


def stop(market: Market, side: object, price: int, lots: int, /, **changes: object) -> int:
    """Park a stop order of ALICE and return its id."""
    content: dict[str, object] = {"kind": STOP, "terms": OrderTerms(stop_price_ticks=price)}
    content |= changes
    limit = content.pop("price_ticks", 0)
    events = market.place(ALICE, side, limit, lots, **content)  # type: ignore[arg-type]
    assert isinstance(events[0], OrderAccepted), events
    assert isinstance(events[1], OrderParked)
    return events[0].order_id


def shown(engine: Engine, order_id: int) -> OpenOrder:
    """Return an open order as the engine shows it."""
    reply = engine.answer(GetOpenOrders())
    assert isinstance(reply, OpenOrders)
    return next(each for each in reply.orders if each.order_id == order_id)


def test_stop_sells_what_it_holds_when_the_last_price_falls_to_it() -> None:
    market = priced()
    waiting = stop(market, SELL, 95, 3)
    assert market.balances(ALICE)[XAU] == (FUNDS - 300, 300)
    assert market.book().asks == ()
    market.rest(CAROL, BUY, 94, 2)
    trade_events = trade(market, 96)
    assert not any(isinstance(event, OrderActivated) for event in trade_events)
    events = trade(market, 95)
    assert events[2] == OrderActivated(waiting, ALICE, GOLD, MARKET, 0)
    assert fills(events[3:]) == [(events[3].maker_order_id, 94, 2)]  # type: ignore[union-attr]
    assert events[4] == OrderCancelled(waiting, ALICE, GOLD, CancelReason.IMMEDIATE, 1)
    assert market.balances(ALICE)[XAU] == (FUNDS - 200, 0)


def test_stop_to_buy_holds_the_upper_bound_and_never_pays_more() -> None:
    market = priced()
    stop(market, BUY, 105, 3)
    assert market.balances(ALICE)[KRW][1] == 3 * 150 * 10
    market.rest(BOB, SELL, 106, 5)
    events = trade(market, 105)
    assert fills(events[3:]) == [(events[3].maker_order_id, 106, 3)]  # type: ignore[union-attr]
    assert market.gained(ALICE) == {XAU: 300, KRW: -3_180}


def test_stop_to_buy_lives_on_when_the_band_rises_and_goes_by_todays_bound() -> None:
    market = priced()
    stop(market, BUY, 105, 3)
    market.do(gold(price_ticks_low=60, price_ticks_high=180))
    assert market.balances(ALICE)[KRW][1] == 3 * 150 * 10
    market.rest(BOB, SELL, 170, 3)
    events = trade(market, 105)
    assert fills(events[3:]) == [(events[3].maker_order_id, 170, 3)]  # type: ignore[union-attr]


def test_stop_limit_rests_at_its_limit() -> None:
    market = priced()
    terms = OrderTerms(stop_price_ticks=105)
    waiting = stop(market, BUY, 105, 4, kind=STOP_LIMIT, price_ticks=106, terms=terms)
    assert market.balances(ALICE)[KRW][1] == 4 * 106 * 10
    market.rest(BOB, SELL, 106, 1)
    market.rest(BOB, SELL, 107, 9)
    events = trade(market, 105)
    assert events[2] == OrderActivated(waiting, ALICE, GOLD, LIMIT, 106)
    assert market.open_orders()[waiting] == 3
    assert market.book().bids[0] == (106, 3, 1)


def test_stop_is_refused_when_it_is_met_already_or_goes_by_no_price() -> None:
    market = priced()
    for side, price in ((BUY, 100), (BUY, 90), (SELL, 100), (SELL, 110)):
        command = order(ALICE, side, 0, 1, kind=STOP, terms=OrderTerms(stop_price_ticks=price))
        market.refuses(command, Refusal.STOP_WOULD_TRIGGER)
    fresh = Market(opening())
    command = order(ALICE, BUY, 0, 1, kind=STOP, terms=OrderTerms(stop_price_ticks=100))
    fresh.refuses(command, Refusal.NO_REFERENCE_PRICE)


def test_one_stop_sets_off_the_next_and_the_older_goes_first() -> None:
    market = priced()
    first, second = stop(market, SELL, 98, 1), stop(market, SELL, 98, 1)
    deeper = stop(market, SELL, 95, 1)
    market.rest(CAROL, BUY, 97, 1)
    market.rest(CAROL, BUY, 95, 1)
    market.rest(CAROL, BUY, 90, 1)
    events = trade(market, 98)
    activated = [event.order_id for event in events if isinstance(event, OrderActivated)]
    assert activated == [first, second, deeper]
    assert [price for _, price, _ in fills(events)] == [98, 97, 95, 90]


def test_trailing_stop_follows_upwards_and_never_back() -> None:
    market = priced()
    events = market.place(ALICE, SELL, 0, 1, kind=TRAILING, terms=OrderTerms(trail_ticks=5))
    waiting = events[0].order_id  # type: ignore[union-attr]
    assert events[1] == OrderParked(waiting, ALICE, GOLD, 95)
    for price, expected in ((103, 98), (99, 98), (110, 105), (106, 105)):
        trade(market, price)
        assert shown(market.engine, waiting).stop_price_ticks == expected
    market.rest(CAROL, BUY, 104, 1)
    events = trade(market, 105)
    assert events[2] == OrderActivated(waiting, ALICE, GOLD, MARKET, 0)
    assert isinstance(events[3], Filled) and events[3].price_ticks == 104


def test_trailing_stops_that_have_seen_different_peaks_meet_at_a_new_one() -> None:
    market = priced()
    terms = OrderTerms(trail_ticks=5)
    ids = []
    for price in (120, 115, 110):
        trade(market, price)
        placed = market.place(ALICE, SELL, 0, 1, kind=TRAILING, terms=terms)
        ids.append(placed[0].order_id)  # type: ignore[union-attr]
    # 115 met the first one's stop, which stood at 115.
    assert ids[0] not in market.open_orders()
    assert shown(market.engine, ids[2]).stop_price_ticks == 105
    trade(market, 130)
    assert [shown(market.engine, each).stop_price_ticks for each in ids[2:]] == [125]


def test_trailing_stop_to_buy_is_the_mirror() -> None:
    market = priced()
    placed = market.place(ALICE, BUY, 0, 1, kind=TRAILING, terms=OrderTerms(trail_ticks=7))
    waiting = placed[0].order_id  # type: ignore[union-attr]
    for price, expected in ((95, 102), (99, 102), (90, 97)):
        trade(market, price)
        assert shown(market.engine, waiting).stop_price_ticks == expected
    assert OrderActivated(waiting, ALICE, GOLD, MARKET, 0) in trade(market, 97)


def test_parked_stop_is_amended_and_cancelled_like_others() -> None:
    market = priced()
    waiting = stop(market, SELL, 95, 3)
    market.refuses(AmendOrder(ALICE, waiting, 0, 3, 100), Refusal.STOP_WOULD_TRIGGER)
    market.refuses(AmendOrder(ALICE, waiting, 99, 3), Refusal.PRICE_INVALID)
    assert market.do(AmendOrder(ALICE, waiting, 0, 2, 97)) == (
        OrderAmended(waiting, ALICE, GOLD, 0, 2, False, 97),
    )
    assert market.balances(ALICE)[XAU] == (FUNDS - 200, 200)
    assert market.cancel(ALICE, waiting) == (
        OrderCancelled(waiting, ALICE, GOLD, CancelReason.REQUESTED, 2),
    )


def test_stops_wait_through_auctions_and_go_by_their_price() -> None:
    market = priced()
    waiting = stop(market, SELL, 95, 1)
    market.phase(Phase.CLOSING_AUCTION)
    market.rest(BOB, SELL, 94, 1)
    market.rest(CAROL, BUY, 94, 2)
    assert waiting in market.open_orders()
    events = market.phase(Phase.CONTINUOUS)
    assert events[-2] == OrderActivated(waiting, ALICE, GOLD, MARKET, 0)
    assert isinstance(events[-1], Filled)


def paired(market: Market) -> tuple[int, int]:
    """Let ALICE take profit at 110 or stop her loss at 90, three lots."""
    loss = stop(market, SELL, 90, 3, client_order_id="loss")
    profit = market.rest(ALICE, SELL, 110, 3, terms=OrderTerms(pair="loss"))
    return loss, profit


def test_pair_holds_once() -> None:
    market = priced()
    loss, profit = paired(market)
    assert market.balances(ALICE)[XAU] == (FUNDS - 300, 300)
    assert shown(market.engine, loss).pair_order_id == profit
    market = priced()
    # To buy, the dearer of the two decides: the stop's cap of 150 against a limit of 90.
    stop(market, BUY, 110, 3, client_order_id="in")
    market.rest(ALICE, BUY, 90, 3, terms=OrderTerms(pair="in"))
    assert market.balances(ALICE)[KRW][1] == 3 * 150 * 10


def test_fill_of_one_cancels_the_other() -> None:
    market = priced()
    loss, profit = paired(market)
    events = market.place(BOB, BUY, 110, 1)
    assert events[2] == OrderCancelled(loss, ALICE, GOLD, PAIRED, 3)
    assert market.open_orders() == {profit: 2}


def test_trigger_of_one_cancels_the_other() -> None:
    market = priced()
    loss, profit = paired(market)
    market.rest(CAROL, BUY, 89, 3)
    events = trade(market, 90)
    assert events[2:4] == (
        OrderActivated(loss, ALICE, GOLD, MARKET, 0),
        OrderCancelled(profit, ALICE, GOLD, PAIRED, 3),
    )
    assert fills(events[4:])[0][1:] == (89, 3)


def test_cancel_of_one_cancels_the_other_and_neither_is_amended() -> None:
    market = priced()
    loss, profit = paired(market)
    for each in (loss, profit):
        market.refuses(AmendOrder(ALICE, each, 110, 1), Refusal.PAIRED)
    assert market.do(CancelOrder(ALICE, 0, "loss")) == (
        OrderCancelled(loss, ALICE, GOLD, CancelReason.REQUESTED, 3),
        OrderCancelled(profit, ALICE, GOLD, PAIRED, 3),
    )
    assert market.balances(ALICE)[XAU] == (FUNDS, 0)


def test_new_order_of_a_pair_that_trades_at_once_ends_the_waiting_one_first() -> None:
    market = priced()
    loss = stop(market, SELL, 90, 3, client_order_id="loss")
    market.rest(BOB, BUY, 101, 1)
    events = market.place(ALICE, SELL, 101, 3, terms=OrderTerms(pair="loss"))
    assert events[1] == OrderCancelled(loss, ALICE, GOLD, PAIRED, 3)
    assert fills(events)[0][1:] == (101, 1)


def test_pair_needs_a_waiting_order_of_the_same_content() -> None:
    market = priced()
    stop(market, SELL, 90, 3, client_order_id="loss")
    for changes in ({"quantity_lots": 2}, {"side": BUY}, {"terms": OrderTerms(pair="none")}):
        content = {"terms": OrderTerms(pair="loss"), "quantity_lots": 3, "side": SELL, **changes}
        side, lots = content.pop("side"), content.pop("quantity_lots")
        command = order(ALICE, side, 110, lots, **content)  # type: ignore[arg-type]
        market.refuses(command, Refusal.PAIR_UNKNOWN)


def test_state_with_waiting_orders_survives_an_image() -> None:
    market = priced()
    paired(market)
    market.place(
        ALICE, SELL, 0, 1, kind=TRAILING, terms=OrderTerms(trail_ticks=5), time_in_force=GTC
    )
    trade(market, 104)
    image = market.engine.image()
    restored = Engine.restore(image, market.engine.sequence, market.engine.time_ns)
    restored._check()
    assert restored.state_hash() == market.engine.state_hash()

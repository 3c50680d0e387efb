"""The phases of an instrument: what changes with them, by command, by the clock, by a breaker."""

from matching.protocol.commands import SetPhase
from matching.protocol.events import (
    MarketInterrupted,
    OrderActivated,
    PhaseChanged,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    INDICATIVE_NS,
    TIME_NS_MAX,
    UNITS_MAX,
    CancelReason,
    Interruption,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
)
from tests.matching.oracle.auctions import indicative, uncross
from tests.matching.oracle.book import band, by_number, end_each, passed_bound, tranche
from tests.matching.oracle.holdings import available, find_market, hold_of, order_hold, revenue
from tests.matching.oracle.records import AUCTIONS, CONTINUOUS, Market, Order, Place, State, must

OF_THE_DAY = (TimeInForce.DAY, TimeInForce.AT_THE_OPEN, TimeInForce.AT_THE_CLOSE)


def set_phase(state: State, command: SetPhase) -> None:
    market = find_market(state, command.instrument)
    trades = command.phase not in (Phase.CLOSED, Phase.HALTED)
    must(not trades or revenue(state), Refusal.UNKNOWN_ACCOUNT)
    must(0 <= command.decided_at_ns <= TIME_NS_MAX, Refusal.MALFORMED)
    must(0 <= command.ends_at_ns <= TIME_NS_MAX, Refusal.MALFORMED)
    must(not command.ends_at_ns or command.phase in AUCTIONS, Refusal.MALFORMED)
    decided = command.decided_at_ns
    must(not decided or decided >= market.decided_at_ns, Refusal.STALE_VERSION)
    must(not trades or not _halted_by_breaker(state, market), Refusal.MARKET_HALTED)
    if decided and (decided, command.phase) == (market.decided_at_ns, market.decided_phase):
        state.events.append(PhaseChanged(market.number, market.phase, market.ends_at_ns))
        return
    market.decided_phase = command.phase
    market.decided_at_ns = max(market.decided_at_ns, decided)
    change_phase(state, market, command.phase, command.ends_at_ns)


def _halted_by_breaker(state: State, market: Market) -> bool:
    return any(
        state.now_ns < segment.halted_until_ns
        and market.number in dict(segment.definition.constituents)
        for segment in state.segments
    )


def change_phase(
    state: State, market: Market, phase: Phase, ends_at_ns: int = 0, *, uncrosses: bool = True
) -> None:
    """Put an instrument into a phase; what follows in a continuous one comes after the command."""
    before = market.phase
    market.ends_at_ns = ends_at_ns
    market.moved_by_ns = 0
    market.drawn = False
    if phase is before:
        state.events.append(PhaseChanged(market.number, phase, ends_at_ns))
        return
    if uncrosses and (phase in CONTINUOUS or (phase is Phase.CLOSED and before in AUCTIONS)):
        uncross(state, market)
    market.phase = phase
    market.extended = False
    market.told = (0, 0, 0)
    market.tell_at_ns = state.now_ns + INDICATIVE_NS
    market.continuous = phase if phase in CONTINUOUS else market.continuous
    state.events.append(PhaseChanged(market.number, phase, ends_at_ns))
    if phase is Phase.CLOSED:
        ended = [
            order
            for order in market.orders
            if order.accepted.time_in_force in OF_THE_DAY or order.place is Place.ANY_PRICE
        ]
        end_each(state, market, ended, CancelReason.EXPIRED)
    if phase is Phase.CLOSING_AUCTION or phase in CONTINUOUS:
        end_each(state, market, _left_over(market), CancelReason.UNCROSSED)
    if phase is Phase.CLOSING_AUCTION:
        _activate(state, market)
        _turn_market(state, market)


def _activate(state: State, market: Market) -> None:
    """Put the orders that were parked for the closing auction into it."""
    for order in by_number(market.orders):
        if order.place is Place.PARKED and not order.waits_for_stop:
            _stand_anew(state, market, order)


def _turn_market(state: State, market: Market) -> None:
    """Turn conditional limits into market orders, if their accounts can pay for that."""
    for order in by_number(market.orders):
        if order.kind is not OrderKind.CONDITIONAL_LIMIT:
            continue
        cap = band(market)[1]
        asset, units = hold_of(market, order.side, cap, order.lots, order.hold_ppm)
        free = available(state, order.account, asset) + order_hold(market, order)[1]
        if order.side is Side.SELL or (units <= free and units <= UNITS_MAX):
            order.kind, order.price = OrderKind.MARKET, 0
            order.cap = cap if order.side is Side.BUY else 0
            _stand_anew(state, market, order)


def _stand_anew(state: State, market: Market, order: Order) -> None:
    market.orders.remove(order)
    market.orders.append(order)
    order.shown = tranche(order)
    order.place = Place.ANY_PRICE if order.kind is OrderKind.MARKET else Place.LEVELS
    state.events.append(
        OrderActivated(order.number, order.account.number, market.number, order.kind, order.price)
    )


def _left_over(market: Market) -> list[Order]:
    """Return the orders whose auction is over: those at the open, and those at any price."""
    return [
        order
        for order in market.orders
        if order.accepted.time_in_force is TimeInForce.AT_THE_OPEN
        or (order.place is Place.ANY_PRICE and market.phase in CONTINUOUS)
    ]


def interrupt(
    state: State, market: Market, cause: Interruption, reference: int, price: int
) -> None:
    """Begin a volatility auction in place of a trade at this price."""
    state.events.append(MarketInterrupted(market.number, cause, reference, price))
    ends_at_ns = state.now_ns + market.definition.volatility_auction_ns
    change_phase(state, market, Phase.VOLATILITY_AUCTION, ends_at_ns)


def end_phase(state: State, market: Market, draw: int) -> None:
    """Do what is due at the end of a phase: draw the end, go on once, or go to the next phase."""
    definition = market.definition
    auction = market.phase in AUCTIONS
    if auction and not market.drawn:
        market.drawn = True
        market.moved_by_ns = draw * definition.random_end_ns >> 32
        if market.moved_by_ns:
            return
    if market.phase is Phase.HALTED:
        ends_at_ns = state.now_ns + market.auction_after_halt_ns
        change_phase(state, market, Phase.VOLATILITY_AUCTION, ends_at_ns)
    elif market.phase is Phase.VOLATILITY_AUCTION:
        change_phase(state, market, market.continuous)
    elif not _goes_on(state, market):
        opening = market.phase is Phase.OPENING_AUCTION
        change_phase(state, market, Phase.CONTINUOUS if opening else Phase.CLOSED)


def _goes_on(state: State, market: Market) -> bool:
    """Prolong an opening or closing auction, once, that would trade beyond a bound."""
    definition = market.definition
    price, _, _ = indicative(market)
    closing = market.phase is Phase.CLOSING_AUCTION
    dynamic_ppm = definition.closing_dynamic_ppm if closing else 0
    passed = passed_bound(market, price, market.reference, dynamic_ppm) if price else None
    if passed is None or market.extended:
        return False
    market.extended = True
    state.events.append(MarketInterrupted(market.number, *passed, price))
    ends_at_ns = state.now_ns + definition.volatility_auction_ns
    change_phase(state, market, market.phase, ends_at_ns)
    return True

"""What an order must satisfy: in itself, by its phase, and by the rules of its instrument."""

import re

from matching.protocol.commands import OrderTerms, PlaceOrder
from matching.protocol.events import OrderAccepted
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CLIENT_ORDER_ID_PATTERN,
    ICEBERG_PARTS_MAX,
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    TAG_PATTERN,
    TIME_NS_MAX,
    UNITS_MAX,
    AccountKind,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
)
from tests.matching.oracle.book import best, in_band, on_step, opposite
from tests.matching.oracle.holdings import notional
from tests.matching.oracle.records import AUCTIONS, STOPS, Account, Market, must

LIMIT, MARKET, STOP, STOP_LIMIT, TRAILING = list(OrderKind)[:5]
CONDITIONAL, BEST, TOP, MIDPOINT = list(OrderKind)[5:]
GTC, IOC, FOK, DAY, GTD, OPEN, CLOSE = TimeInForce
LASTING = (GTC, DAY, GTD)
FORCES = {
    LIMIT: (*LASTING, IOC, FOK, OPEN, CLOSE),
    MARKET: (DAY, IOC, FOK, OPEN, CLOSE),
    STOP: LASTING,
    STOP_LIMIT: LASTING,
    TRAILING: LASTING,
    CONDITIONAL: (DAY,),
    BEST: (*LASTING, IOC, FOK),
    TOP: (*LASTING, IOC, FOK),
    MIDPOINT: (*LASTING, IOC),
}
PRICED = (LIMIT, STOP_LIMIT, CONDITIONAL, MIDPOINT)
NONE = OrderTerms()


def terms_of(command: PlaceOrder) -> OrderTerms:
    return command.terms or NONE


def check_form(command: PlaceOrder) -> None:
    """Refuse an order that is none in itself."""
    kind, force, terms = command.kind, command.time_in_force, terms_of(command)
    lots = command.quantity_lots
    lasting = force in LASTING
    simple = not terms.display_lots and not terms.minimum_lots
    rules = (
        re.fullmatch(CLIENT_ORDER_ID_PATTERN, command.client_order_id),
        re.fullmatch(TAG_PATTERN, terms.tag),
        not terms.pair or re.fullmatch(CLIENT_ORDER_ID_PATTERN, terms.pair),
        command.terms is None or command.terms != NONE,
        all(0 <= number <= UNITS_MAX for number in numbers(terms)),
        terms.expires_at_ns <= TIME_NS_MAX,
        force in FORCES[kind],
        kind in PRICED or command.price_ticks == 0,
        (terms.stop_price_ticks > 0) == (kind in (STOP, STOP_LIMIT)),
        (terms.trail_ticks > 0) == (kind is TRAILING),
        (terms.expires_at_ns > 0) == (force is GTD),
        not command.post_only or (kind in (LIMIT, TOP) and lasting),
        not terms.display_lots or (kind is LIMIT and lasting and _is_shown(terms, lots)),
        not terms.minimum_lots
        or (
            kind in (LIMIT, MARKET, BEST)
            and force in (*LASTING, IOC)
            and not command.post_only
            and terms.minimum_lots <= lots
        ),
        not terms.cash_units
        or (
            kind is MARKET and command.side is Side.BUY and force is IOC and not terms.minimum_lots
        ),
        not terms.pair or (kind is LIMIT and lasting and simple),
    )
    must(all(rules), Refusal.MALFORMED)


def _is_shown(terms: OrderTerms, lots: int) -> bool:
    return terms.display_lots <= lots <= terms.display_lots * ICEBERG_PARTS_MAX


def numbers(terms: OrderTerms) -> tuple[int, ...]:
    return (
        terms.stop_price_ticks,
        terms.trail_ticks,
        terms.display_lots,
        terms.minimum_lots,
        terms.cash_units,
        terms.expires_at_ns,
    )


def check_account(account: Account, market: Market) -> None:
    """Refuse an account that may not trade the instrument."""
    must(account.kind is AccountKind.MEMBER, Refusal.ACCOUNT_MAY_NOT_TRADE)
    must(not account.killed, Refusal.KILL_SWITCH)
    must(not account.holder.frozen, Refusal.FROZEN)
    class_bit = market.definition.instrument_class
    must(account.holder.classes & class_bit, Refusal.NOT_ELIGIBLE)
    must(not market.killed, Refusal.KILL_SWITCH)


def check_open(market: Market) -> None:
    must(market.phase is not Phase.CLOSED, Refusal.MARKET_CLOSED)
    must(market.phase is not Phase.HALTED, Refusal.MARKET_HALTED)


def check_phase(market: Market, command: PlaceOrder) -> None:
    """Refuse what a phase does not take."""
    kind, force, phase = command.kind, command.time_in_force, market.phase
    for_close = force is CLOSE or kind is CONDITIONAL
    if phase in AUCTIONS:
        ends_in_24h = market.continuous is Phase.CONTINUOUS_24H
        wrong = (
            force in (IOC, FOK)
            or command.post_only
            or terms_of(command).minimum_lots > 0
            or kind in (BEST, TOP, MIDPOINT)
            or (force is OPEN and phase is not Phase.OPENING_AUCTION)
            or (kind is CONDITIONAL and phase is Phase.CLOSING_AUCTION)
            or (for_close and phase is Phase.VOLATILITY_AUCTION and ends_in_24h)
        )
    else:
        wrong = (
            force is OPEN
            or (kind is MARKET and force is DAY)
            or (for_close and phase is Phase.CONTINUOUS_24H)
        )
    must(not wrong, Refusal.NOT_IN_THIS_PHASE)


def found_price(market: Market, command: PlaceOrder) -> int:
    """Return the limit an order has or finds, 0 for none; refuse it when there is none to find."""
    price = command.price_ticks
    if command.kind is BEST:
        price = best(market, opposite(command.side))
    if command.kind is TOP:
        price = best(market, command.side)
    must(command.kind not in (BEST, TOP) or price, Refusal.NO_REFERENCE_PRICE)
    must(command.kind not in STOPS or market.reference, Refusal.NO_REFERENCE_PRICE)
    return price


def first_stop(market: Market, command: PlaceOrder) -> int:
    """Return the stop an order begins with; 0 for none."""
    terms = terms_of(command)
    if command.kind is not TRAILING:
        return terms.stop_price_ticks
    sign = 1 if command.side is Side.BUY else -1
    return market.reference + sign * terms.trail_ticks


def check_price(market: Market, price: int) -> None:
    must(0 < price <= PRICE_TICKS_MAX and on_step(market, price), Refusal.PRICE_INVALID)
    must(in_band(market, price), Refusal.PRICE_OUTSIDE_BAND)


def check_stop(market: Market, kind: OrderKind, stop: int) -> None:
    if kind is TRAILING:
        must(0 < stop <= PRICE_TICKS_MAX, Refusal.PRICE_INVALID)
    else:
        check_price(market, stop)


def check_collar(market: Market, kind: OrderKind, side: Side, price: int, stop: int) -> None:
    """Refuse a limit too far beyond the reference; of a stop-limit order beyond its stop."""
    around = stop if kind is STOP_LIMIT else market.reference
    collar = around * market.definition.collar_ppm // PARTS_PER_MILLION
    if collar_is_set(market, around):
        allowed = price <= around + collar if side is Side.BUY else price >= around - collar
        must(allowed, Refusal.PRICE_OUTSIDE_COLLAR)


def collar_is_set(market: Market, around: int) -> bool:
    return market.definition.collar_ppm > 0 and around > 0


def check_quantity(market: Market, lots: int) -> None:
    must(lots >= 1, Refusal.QUANTITY_INVALID)
    must(lots <= market.definition.quantity_lots_max, Refusal.QUANTITY_TOO_LARGE)


def worth(market: Market, price: int, stop: int, lots: int) -> int:
    """Return what lots are worth: at their limit, else their stop, else the reference."""
    return notional(market, price or stop or market.reference, lots)


def check_value(market: Market, value: int) -> None:
    largest = market.definition.notional_units_max or UNITS_MAX
    must(value <= largest, Refusal.VALUE_TOO_LARGE)


def check_not_met(market: Market, side: Side, stop: int) -> None:
    """Refuse a stop that the reference meets already."""
    waits = stop > market.reference if side is Side.BUY else stop < market.reference
    must(waits, Refusal.STOP_WOULD_TRIGGER)


def displays(accepted: OrderAccepted) -> bool:
    """Tell whether an order is an iceberg."""
    return accepted.terms is not None and accepted.terms.display_lots > 0

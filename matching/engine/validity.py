"""Why an order is refused: what its content, account, market and phase forbid."""

import re

from matching.accounts import Account
from matching.book import AUCTION_PHASES, Book
from matching.engine.state import Events, refused
from matching.protocol.commands import OrderTerms, PlaceOrder
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CLIENT_ORDER_ID_PATTERN,
    ICEBERG_PARTS_MAX,
    PRICE_TICKS_MAX,
    TAG_PATTERN,
    TIME_NS_MAX,
    UNITS_MAX,
    AccountKind,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
    price_step_ticks,
)

is_client_order_id = re.compile(CLIENT_ORDER_ID_PATTERN).fullmatch
is_tag = re.compile(TAG_PATTERN).fullmatch

NO_TERMS = OrderTerms()
STOP_KINDS = frozenset({OrderKind.STOP, OrderKind.STOP_LIMIT, OrderKind.TRAILING_STOP})
# Kinds that name their own limit; all others have the price 0.
LIMITED_KINDS = frozenset(
    {OrderKind.LIMIT, OrderKind.STOP_LIMIT, OrderKind.CONDITIONAL_LIMIT, OrderKind.MIDPOINT}
)
_LASTING = frozenset({TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD})
AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_AUCTION_ONLY = frozenset({TimeInForce.AT_THE_OPEN, TimeInForce.AT_THE_CLOSE})
_FORCES = {
    OrderKind.LIMIT: frozenset(TimeInForce),
    OrderKind.MARKET: AT_ONCE | _AUCTION_ONLY | {TimeInForce.DAY},
    OrderKind.STOP: _LASTING,
    OrderKind.STOP_LIMIT: _LASTING,
    OrderKind.TRAILING_STOP: _LASTING,
    OrderKind.CONDITIONAL_LIMIT: frozenset({TimeInForce.DAY}),
    OrderKind.BEST_LIMIT: _LASTING | AT_ONCE,
    OrderKind.TOP_PRIORITY_LIMIT: _LASTING | AT_ONCE,
    OrderKind.MIDPOINT: _LASTING | {TimeInForce.IOC},
}
_POST_ONLY_KINDS = frozenset({OrderKind.LIMIT, OrderKind.TOP_PRIORITY_LIMIT})
_MINIMUM_KINDS = frozenset({OrderKind.LIMIT, OrderKind.MARKET, OrderKind.BEST_LIMIT})
_CONTINUOUS_KINDS = frozenset(
    {OrderKind.BEST_LIMIT, OrderKind.TOP_PRIORITY_LIMIT, OrderKind.MIDPOINT}
)


def content_fault(command: PlaceOrder) -> str:
    """Return what is wrong with the order in itself, or nothing."""
    kind, force, terms = command.kind, command.time_in_force, command.terms or NO_TERMS
    if not is_client_order_id(command.client_order_id):
        return f"client_order_id must match {CLIENT_ORDER_ID_PATTERN}"
    if kind not in LIMITED_KINDS and command.price_ticks:
        return f"a {kind.name} order must have price 0, found {command.price_ticks}"
    if force not in _FORCES[kind]:
        names = ", ".join(each.name for each in sorted(_FORCES[kind]))
        return f"a {kind.name} order must be {names}, found {force.name}"
    lasts = force in _LASTING
    if command.post_only and not (kind in _POST_ONLY_KINDS and lasts):
        return "post_only goes with LIMIT and TOP_PRIORITY_LIMIT that are GTC, DAY or GTD"
    if command.terms is not None and command.terms == NO_TERMS:
        return "an order without terms has null for terms"
    return _terms_fault(command, terms, lasts)


def _terms_fault(command: PlaceOrder, terms: OrderTerms, lasts: bool) -> str:
    kind, lots = command.kind, command.quantity_lots
    for name in OrderTerms.__struct_fields__[:6]:
        value = getattr(terms, name)
        if not 0 <= value <= UNITS_MAX:
            return f"{name} must be 0 to {UNITS_MAX}, found {value}"
    if terms.expires_at_ns > TIME_NS_MAX:
        return f"expires_at_ns must be {TIME_NS_MAX} or less, found {terms.expires_at_ns}"
    limit = kind is OrderKind.LIMIT
    if not is_tag(terms.tag):
        return f"tag must match {TAG_PATTERN}"
    if bool(terms.stop_price_ticks) != (kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)):
        return "stop_price_ticks goes with STOP and STOP_LIMIT"
    if bool(terms.trail_ticks) != (kind is OrderKind.TRAILING_STOP):
        return "trail_ticks goes with TRAILING_STOP"
    if bool(terms.expires_at_ns) != (command.time_in_force is TimeInForce.GTD):
        return "expires_at_ns goes with GTD"
    if terms.display_lots and not (limit and lasts and terms.display_lots <= lots):
        return "display_lots, at most the quantity, goes with LIMIT that is GTC, DAY or GTD"
    if terms.display_lots and terms.display_lots * ICEBERG_PARTS_MAX < lots:
        return f"display_lots must be a {ICEBERG_PARTS_MAX}th of the quantity or more"
    if terms.minimum_lots and not (
        kind in _MINIMUM_KINDS
        and (lasts or command.time_in_force is TimeInForce.IOC)
        and not command.post_only
        and terms.minimum_lots <= lots
    ):
        return "minimum_lots, at most the quantity, goes with LIMIT, MARKET and BEST_LIMIT"
    if terms.cash_units and not (
        kind is OrderKind.MARKET
        and command.side is Side.BUY
        and command.time_in_force is TimeInForce.IOC
        and not terms.minimum_lots
    ):
        return "cash_units goes with MARKET to buy that is IOC, without a minimum"
    plain = not (terms.display_lots or terms.minimum_lots)
    if terms.pair and not (is_client_order_id(terms.pair) and limit and lasts and plain):
        return "pair goes with LIMIT that is GTC, DAY or GTD, without iceberg and minimum"
    return ""


def account_refusal(account: Account, book: Book) -> Events | None:
    """Return why an account may not trade an instrument, or None."""
    if account.kind is not AccountKind.MEMBER:
        return refused(
            Refusal.ACCOUNT_MAY_NOT_TRADE, f"account {account.id} is {account.kind.name}"
        )
    if account.killed:
        return refused(Refusal.KILL_SWITCH, f"the kill switch of account {account.id} is engaged")
    holder = account.holder
    if holder.frozen:
        return refused(Refusal.FROZEN, f"the holder of account {account.id} is frozen")
    if not holder.allowed & book.class_bit:
        return refused(
            Refusal.NOT_ELIGIBLE,
            f"the holder has classes {holder.classes}, "
            f"instrument {book.instrument} needs {book.class_bit}",
        )
    return None


def market_refusal(book: Book) -> Events | None:
    """Return why an instrument takes no orders, or None."""
    if book.killed:
        return refused(
            Refusal.KILL_SWITCH, f"the kill switch of instrument {book.instrument} is engaged"
        )
    return closed_refusal(book)


def closed_refusal(book: Book) -> Events | None:
    """Return why the phase takes neither orders nor amends, or None."""
    if book.phase is Phase.CLOSED:
        return refused(Refusal.MARKET_CLOSED, f"instrument {book.instrument} is closed")
    if book.phase is Phase.HALTED:
        return refused(Refusal.MARKET_HALTED, f"instrument {book.instrument} is halted")
    return None


def phase_refusal(book: Book, command: PlaceOrder) -> Events | None:
    """Return why the phase does not take an order of this kind, or None."""
    kind, force, phase = command.kind, command.time_in_force, book.phase
    closing = kind is OrderKind.CONDITIONAL_LIMIT or force is TimeInForce.AT_THE_CLOSE
    never_closes = book.resumes is Phase.CONTINUOUS_24H
    if phase in AUCTION_PHASES:
        minimum = command.terms is not None and command.terms.minimum_lots
        wrong = (
            force in AT_ONCE
            or command.post_only
            or bool(minimum)
            or kind in _CONTINUOUS_KINDS
            or (force is TimeInForce.AT_THE_OPEN and phase is not Phase.OPENING_AUCTION)
            or (kind is OrderKind.CONDITIONAL_LIMIT and phase is Phase.CLOSING_AUCTION)
            or (closing and phase is Phase.VOLATILITY_AUCTION and never_closes)
        )
    else:
        day = kind is OrderKind.MARKET and force is TimeInForce.DAY
        wrong = force is TimeInForce.AT_THE_OPEN or day or (closing and never_closes)
    if not wrong:
        return None
    return refused(
        Refusal.NOT_IN_THIS_PHASE,
        f"{kind.name} {force.name} is not taken in phase {phase.name}",
    )


def price_refusal(book: Book, price_ticks: int) -> Events | None:
    """Return why a price is none of this instrument's, or None."""
    if not 0 < price_ticks <= PRICE_TICKS_MAX:
        return refused(
            Refusal.PRICE_INVALID,
            f"price must be 1 to {PRICE_TICKS_MAX} ticks, found {price_ticks}",
        )
    step = price_step_ticks(book.tick_table, price_ticks)
    if price_ticks % step:
        return refused(
            Refusal.PRICE_INVALID, f"price must be a multiple of {step} ticks, found {price_ticks}"
        )
    if not book.low <= price_ticks <= book.high:
        return refused(
            Refusal.PRICE_OUTSIDE_BAND,
            f"price must be {book.low} to {book.high} ticks, found {price_ticks}",
        )
    return None


def collar_refusal(
    book: Book, side: Side, price_ticks: int, stop_price_ticks: int
) -> Events | None:
    """Return why a limit is too far from the reference, or of a stop order from its stop."""
    high, low = book.buy_high, book.sell_low
    if stop_price_ticks and book.definition.collar_ppm:
        high, low = book.collar(stop_price_ticks)
    bound = high if side is Side.BUY else low
    if (price_ticks > bound) if side is Side.BUY else (price_ticks < bound):
        word = "most" if side is Side.BUY else "least"
        return refused(
            Refusal.PRICE_OUTSIDE_COLLAR,
            f"a limit to {side.name} must be at {word} {bound} ticks now, found {price_ticks}",
        )
    return None


def quantity_refusal(book: Book, lots: int) -> Events | None:
    """Return why a quantity is too small or too large, or None."""
    if lots <= 0:
        return refused(Refusal.QUANTITY_INVALID, f"quantity must be 1 lot or more, found {lots}")
    if lots > book.quantity_lots_max:
        return refused(
            Refusal.QUANTITY_TOO_LARGE,
            f"quantity must be {book.quantity_lots_max} lots or less, found {lots}",
        )
    return None


def value_refusal(book: Book, value_units: int) -> Events | None:
    """Return why an order is worth more than the market allows, or None."""
    if value_units <= book.notional_units_max:
        return None
    return refused(
        Refusal.VALUE_TOO_LARGE, f"worth {value_units} units, limit {book.notional_units_max}"
    )


def hold_refusal(
    book: Book,
    asset: int,
    available_units: int,
    notional_units: int,
    held_units: int,
    value_units: int,
) -> Events | None:
    """Return why what an order would hold is too much for 63 bits, the market or the account.

    `notional_units` is what it may pay at most, `value_units` what it is worth as limits go.
    """
    if notional_units > UNITS_MAX or held_units > UNITS_MAX:
        return refused(
            Refusal.AMOUNT_OVERFLOW,
            f"notional {notional_units}, hold {held_units} units, limit {UNITS_MAX}",
        )
    refusal = value_refusal(book, value_units)
    if refusal is None and held_units > available_units:
        refusal = refused(
            Refusal.INSUFFICIENT_BALANCE,
            f"needs {held_units} units of asset {asset}, available {available_units}",
        )
    return refusal

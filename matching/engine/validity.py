"""Why an order is refused: the exact counterpart of the checks `orders` makes in passing."""

import re

from matching.accounts import Account
from matching.book import Book
from matching.engine.state import Events, refused
from matching.protocol.commands import PlaceOrder
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CLIENT_ORDER_ID_PATTERN,
    PRICE_TICKS_MAX,
    UNITS_MAX,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
    price_step_ticks,
)

is_client_order_id = re.compile(CLIENT_ORDER_ID_PATTERN).fullmatch


def order_refusal(account: Account, book: Book, command: PlaceOrder) -> Events | None:
    """Return why the order may not be placed; None for a sound market order."""
    fault = _fault(command)
    if fault:
        return refused(Refusal.MALFORMED, fault)
    if not account.trades:
        return refused(
            Refusal.ACCOUNT_MAY_NOT_TRADE, f"account {account.id} is {account.kind.name}"
        )
    holder = account.holder
    if holder.frozen:
        return refused(Refusal.FROZEN, f"the holder of account {account.id} is frozen")
    if not holder.allowed & book.class_bit:
        return refused(
            Refusal.NOT_ELIGIBLE,
            f"the holder has classes {holder.classes}, "
            f"instrument {book.instrument} needs {book.class_bit}",
        )
    market = command.kind is OrderKind.MARKET
    lots = command.quantity_lots
    refusal = terms_refusal(book, None if market else command.price_ticks, lots)
    if refusal is not None:
        return refusal
    assert market, "a limit order came here for one of the reasons above"
    base = lots * book.base_units_per_lot
    if base > UNITS_MAX:
        return refused(Refusal.AMOUNT_OVERFLOW, f"{base} base units, limit {UNITS_MAX}")
    available = account.available.get(book.base_asset, 0)
    if command.side is Side.SELL and base > available:
        return _insufficient(base, available, book.base_asset)
    return None


def terms_refusal(book: Book, price_ticks: int | None, lots: int) -> Events | None:
    """Return why phase, price or quantity forbid an order, or None; a market order has no price."""
    if book.phase is Phase.CLOSED:
        return refused(Refusal.MARKET_CLOSED, f"instrument {book.instrument} is closed")
    if book.phase is Phase.HALTED:
        return refused(Refusal.MARKET_HALTED, f"instrument {book.instrument} is halted")
    refusal = None if price_ticks is None else _price_refusal(book, price_ticks)
    if refusal is not None:
        return refusal
    if lots <= 0:
        return refused(Refusal.QUANTITY_INVALID, f"quantity must be 1 lot or more, found {lots}")
    if lots > book.quantity_lots_max:
        return refused(
            Refusal.QUANTITY_TOO_LARGE,
            f"quantity must be {book.quantity_lots_max} lots or less, found {lots}",
        )
    return None


def _price_refusal(book: Book, price_ticks: int) -> Events | None:
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


def hold_refusal(account: Account, asset: int, notional_units: int, held_units: int) -> Events:
    """Return the refusal of an order whose hold is not available or beyond 63 bits."""
    if notional_units > UNITS_MAX or held_units > UNITS_MAX:
        return refused(
            Refusal.AMOUNT_OVERFLOW,
            f"notional {notional_units}, hold {held_units} units, limit {UNITS_MAX}",
        )
    return _insufficient(held_units, account.available.get(asset, 0), asset)


def _insufficient(needed_units: int, available_units: int, asset: int) -> Events:
    return refused(
        Refusal.INSUFFICIENT_BALANCE,
        f"needs {needed_units} units of asset {asset}, available {available_units}",
    )


def _fault(command: PlaceOrder) -> str:
    """Return what is wrong with the order in itself, or nothing."""
    if not is_client_order_id(command.client_order_id):
        return f"client_order_id must match {CLIENT_ORDER_ID_PATTERN}"
    if command.kind is OrderKind.LIMIT:
        if command.post_only and command.time_in_force is not TimeInForce.GTC:
            return "a post-only order must be good till cancelled"
        return ""
    if command.price_ticks:
        return f"a market order must have price 0, found {command.price_ticks}"
    if command.time_in_force is TimeInForce.GTC:
        return "a market order must be immediate-or-cancel or fill-or-kill"
    if command.post_only:
        return "a market order cannot be post-only"
    return ""

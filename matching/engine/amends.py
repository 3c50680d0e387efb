"""Amending orders: one command, so that an order is never out of the market in between."""

from matching.accounts import Account
from matching.book import Book
from matching.engine.entry import triggers
from matching.engine.followup import follow_up
from matching.engine.removal import take_out
from matching.engine.resting import at_any_price, cap_ticks, finish, limit_key, open_order
from matching.engine.state import Events, State, refused
from matching.engine.taker import Taker
from matching.engine.taking import resize, take
from matching.engine.validity import (
    closed_refusal,
    collar_refusal,
    hold_refusal,
    price_refusal,
    quantity_refusal,
)
from matching.order import Order, Place
from matching.protocol.commands import AmendOrder
from matching.protocol.events import AnyEvent, OrderAmended
from matching.protocol.refusals import Refusal
from matching.protocol.units import ICEBERG_PARTS_MAX, OrderKind, Side

_BUY = Side.BUY


def amend_order(state: State, sequence: int, command: AmendOrder) -> Events:
    """Change price, open quantity or stop of an open order.

    Losing priority takes today's fee terms.
    """
    account = state.accounts.get(command.account)
    order = None if account is None else account.orders.get(command.order_id)
    if account is None or order is None:
        return refused(
            Refusal.UNKNOWN_ORDER,
            f"account {command.account} has no open order {command.order_id}",
        )
    book = state.books[order.accepted.instrument]
    refusal = _refusal(book, order, command)
    if refusal is not None:
        return refusal
    price, lots = command.price_ticks or order.price_ticks, command.quantity_lots
    same_stop = command.stop_price_ticks in (0, _stop(book, order))
    same_price = price == order.price_ticks and same_stop
    if same_price and lots == order.open_lots:
        return refused(
            Refusal.UNCHANGED, f"order {order.id} is {lots} lots at {command.price_ticks} already"
        )
    if same_price and lots < order.open_lots:
        resize(state, order, lots)
        return (_amended(book, order, command, lots, kept=True),)
    return _replace(state, account, book, order, command)


def _refusal(book: Book, order: Order, command: AmendOrder) -> Events | None:
    """Return why an order may not have these terms, or None; what it may cost is not looked at."""
    stop, price = command.stop_price_ticks, command.price_ticks
    waits = order.place is Place.STOP and order.accepted.kind is not OrderKind.TRAILING_STOP
    if stop < 0 or (stop and not waits):
        return refused(Refusal.MALFORMED, f"order {order.id} waits for no stop that can be set")
    refusal = closed_refusal(book)
    if refusal is not None:
        return refusal
    if order.pair:
        return refused(Refusal.PAIRED, f"order {order.id} is one of a pair, which stay as they are")
    if not _unlimited(order):
        refusal = price_refusal(book, price)
    elif price:
        refusal = refused(
            Refusal.PRICE_INVALID, f"order {order.id} has no limit: price must be 0, found {price}"
        )
    if refusal is None and stop:
        refusal = price_refusal(book, stop)
    if refusal is None and not _unlimited(order):
        refusal = collar_refusal(book, order.side, price, stop or _stop(book, order))
    refusal = refusal or quantity_refusal(book, command.quantity_lots)
    parts = order.display_lots * ICEBERG_PARTS_MAX
    if refusal is None and 0 < parts < command.quantity_lots:
        refusal = refused(
            Refusal.QUANTITY_TOO_LARGE, f"an iceberg showing so little has {parts} lots or less"
        )
    if refusal is None and stop and triggers(book, order.side, stop):
        return refused(
            Refusal.STOP_WOULD_TRIGGER,
            f"stop {stop} is met by the last price {book.reference_ticks}",
        )
    return refusal


def _replace(
    state: State, account: Account, book: Book, order: Order, command: AmendOrder
) -> Events:
    """Give an order new terms behind all others; in continuous trading it may take at once."""
    accepted, side, lots, place = order.accepted, order.side, command.quantity_lots, order.place
    price = cap_ticks(book, side) if _unlimited(order) else command.price_ticks
    asset = book.quote_asset if side is _BUY else book.base_asset
    held = book.hold_units(side, price, lots, book.fees[account.holder.tier][2])
    unit, stop = book.quote_units_per_tick_lot, command.stop_price_ticks or _stop(book, order)
    value = (command.price_ticks or stop or book.reference_ticks) * lots * unit
    available = account.available.get(asset, 0) + order.held_units
    refusal = hold_refusal(book, asset, available, price * lots * unit, held, value)
    if refusal is not None:
        return refusal
    takes = book.matches and place in (Place.LEVEL, Place.MIDPOINT)
    if takes and accepted.post_only and book.meets(side, price, order):
        return refused(Refusal.POST_ONLY_WOULD_TRADE, f"post-only at {price} would trade")
    expires = order.expires_at_ns
    take_out(state, account, book, order)
    if not takes:
        order = open_order(state, account, book, accepted, price, lots, place, expires, stop)
        return (_amended(book, order, command, lots, kept=False),)
    events: list[AnyEvent] = [_amended(book, order, command, lots, kept=False)]
    prevention = accepted.self_trade_prevention
    taker = Taker(order.id, account, book, side, lots, prevention, by_cash=False)
    key = limit_key(side, price)
    take(state, taker, key, events, midpoint=place is Place.MIDPOINT)
    finish(state, taker, accepted, price, expires, events)
    follow_up(state, book, events)
    return tuple(events)


def _amended(
    book: Book, order: Order, command: AmendOrder, lots: int, *, kept: bool
) -> OrderAmended:
    stop = _stop(book, order)
    price = command.price_ticks
    return OrderAmended(order.id, order.account, book.instrument, price, lots, kept, stop)


def _unlimited(order: Order) -> bool:
    """Tell whether an order is, or will be, one at any price."""
    return order.place is Place.MARKET or at_any_price(order.accepted.kind)


def _stop(book: Book, order: Order) -> int:
    """Return the stop for which an order waits, as it stands; 0 when for none."""
    return book.stops.stop_price_ticks(order) if order.place is Place.STOP else 0

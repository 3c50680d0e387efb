"""How an open order leaves the market: out of book and account, its hold freed, its pair ended."""

from collections.abc import Iterable

from matching.accounts import Account
from matching.book import Book
from matching.engine.state import State, TimerKind
from matching.order import Order
from matching.protocol.events import AnyEvent, OrderCancelled
from matching.protocol.units import CancelReason, Side

_BUY = Side.BUY


def close(
    state: State, account: Account, book: Book, order: Order, reason: CancelReason
) -> OrderCancelled:
    """Take an order out of book and account, free its hold, and return the event."""
    held = order.held_units
    order_id = order.id
    lots = order.visible_lots
    del account.orders[order_id]
    if order.side is _BUY:
        asset, side, key = book.quote_asset, book.bids, -order.price_ticks
    else:
        asset, side, key = book.base_asset, book.asks, order.price_ticks
    if order.special is None:
        level = side.levels[key]
        del level[order_id]
        if not level:
            side.drop(key)
    else:
        lots = order.open_lots
        book.remove(order)
        end_expiry(state, order)
    account.available[asset] += held
    account.held[asset] -= held
    return OrderCancelled(order_id, account.id, book.instrument, reason, lots)


def take_out(state: State, account: Account, book: Book, order: Order) -> None:
    """Take an order out of book and account and free its hold, without an end of its own.

    It is triggered, or gets new terms, and goes on under its number.
    """
    del account.orders[order.id]
    book.remove(order)
    end_expiry(state, order)
    asset = book.quote_asset if order.side is _BUY else book.base_asset
    account.available[asset] += order.held_units
    account.held[asset] -= order.held_units


def cancel(state: State, order: Order, reason: CancelReason, events: list[AnyEvent]) -> None:
    """Close an order, and the other one of its pair."""
    account = state.accounts[order.account]
    book = state.books[order.accepted.instrument]
    events.append(close(state, account, book, order, reason))
    end_pair(state, order, events)


def end_pair(state: State, order: Order, events: list[AnyEvent]) -> None:
    """Cancel the other order of a pair, of which one traded, was triggered or ended."""
    special = order.special
    if special is None or not special.pair:
        return
    account = state.accounts[order.account]
    other = account.orders[special.pair]
    assert other.special is not None, "a pair knows each other"
    special.pair = other.special.pair = 0
    book = state.books[other.accepted.instrument]
    events.append(close(state, account, book, other, CancelReason.PAIRED))


def cancel_each(
    state: State, orders: Iterable[Order], reason: CancelReason, events: list[AnyEvent]
) -> int:
    """Cancel orders by id, save those that their pair takes along; return how many ended."""
    before = len(events)
    for order in sorted(orders, key=lambda order: order.id):
        if order.id in state.accounts[order.account].orders:
            cancel(state, order, reason, events)
    return len(events) - before


def end_expiry(state: State, order: Order) -> None:
    """Forget when an order would have expired."""
    special = order.special
    if special is not None and special.expires_at_ns:
        due_ns = special.expires_at_ns
        state.set_timer(TimerKind.EXPIRY, order.id, due_ns, 0, order.account)

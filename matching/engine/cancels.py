"""Taking orders out of the market: on request, and for every rule that forbids them to stay."""

from matching.accounts import Account
from matching.book import Book
from matching.engine.state import Events, State, refused
from matching.engine.validity import is_client_order_id
from matching.order import Order
from matching.protocol.commands import CancelAll, CancelOrder
from matching.protocol.events import AnyEvent, OrderCancelled, OrdersCancelled
from matching.protocol.refusals import Refusal
from matching.protocol.units import CLIENT_ORDER_ID_PATTERN, CancelReason, Phase, Side

_BUY = Side.BUY
_CLOSED = Phase.CLOSED
_REQUESTED = CancelReason.REQUESTED


def close(account: Account, book: Book, order: Order, reason: CancelReason) -> OrderCancelled:
    """Take an order out of book and account, free its hold, and return the event."""
    held = order.held_units
    order_id = order.id
    del account.orders[order_id]
    if order.side is _BUY:
        asset, side, key = book.quote_asset, book.bids, -order.price_ticks
    else:
        asset, side, key = book.base_asset, book.asks, order.price_ticks
    level = side.levels[key]
    del level[order_id]
    if not level:
        side.drop(key)
    account.available[asset] += held
    account.held[asset] -= held
    return OrderCancelled(order_id, account.id, book.instrument, reason, order.remaining_lots)


def cancel_order(state: State, sequence: int, command: CancelOrder) -> Events:
    """Cancel one resting order of the account; another's order is as unknown as none."""
    order_id, name = command.order_id, command.client_order_id
    if (not order_id) == (not name) or (name and not is_client_order_id(name)):
        return refused(
            Refusal.MALFORMED,
            f"a cancel has order_id, or client_order_id as {CLIENT_ORDER_ID_PATTERN}, not both",
        )
    account = state.accounts.get(command.account)
    if account is not None and name:
        order_id = account.order_id(name)
    order = None if account is None else account.orders.get(order_id)
    if account is None or order is None:
        return refused(
            Refusal.UNKNOWN_ORDER,
            f"account {command.account} has no open order {name or order_id}",
        )
    book = state.books[order.accepted.instrument]
    if book.phase is _CLOSED:
        return refused(Refusal.MARKET_CLOSED, f"instrument {book.instrument} is closed")
    return (close(account, book, order, _REQUESTED),)


def cancel_all(state: State, sequence: int, command: CancelAll) -> Events:
    """Cancel the account's resting orders by age; asked for all, closed instruments keep theirs."""
    account = state.accounts.get(command.account)
    if account is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    if command.instrument:
        book = state.books.get(command.instrument)
        if book is None:
            return refused(
                Refusal.UNKNOWN_INSTRUMENT, f"instrument {command.instrument} is not defined"
            )
        if book.phase is _CLOSED:
            return refused(Refusal.MARKET_CLOSED, f"instrument {book.instrument} is closed")
    events: list[AnyEvent] = []
    for _, order in sorted(account.orders.items()):
        book = state.books[order.accepted.instrument]
        if command.instrument in {0, book.instrument} and book.phase is not _CLOSED:
            events.append(close(account, book, order, _REQUESTED))
    events.append(OrdersCancelled(account.id, len(events)))
    return tuple(events)

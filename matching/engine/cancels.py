"""Taking orders out of the market: on request, and for every rule that forbids them to stay."""

from collections.abc import Iterable

from matching.accounts import Account
from matching.book import Book
from matching.engine.followup import follow_up
from matching.engine.removal import cancel, cancel_each, close
from matching.engine.state import Events, State, TimerKind, refused
from matching.engine.validity import is_client_order_id, is_tag
from matching.order import Order
from matching.protocol.commands import CancelAll, CancelOrder, SetHeartbeat, SetKillSwitch
from matching.protocol.events import (
    AnyEvent,
    HeartbeatMissed,
    HeartbeatSet,
    KillSwitchChanged,
    OrdersCancelled,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CLIENT_ORDER_ID_PATTERN,
    HEARTBEAT_NS_MAX,
    TAG_PATTERN,
    CancelReason,
    Phase,
    Side,
)

_CLOSED = Phase.CLOSED
_REQUESTED = CancelReason.REQUESTED


def cancel_order(state: State, sequence: int, command: CancelOrder) -> Events:
    """Cancel one open order of the account; another's order is as unknown as none."""
    order_id, name = command.order_id, command.client_order_id
    if (not order_id) == (not name) or (name and not is_client_order_id(name)):
        return refused(
            Refusal.MALFORMED,
            f"a cancel has order_id, or client_order_id as {CLIENT_ORDER_ID_PATTERN}, not both",
        )
    account = state.accounts.get(command.account)
    if account is not None and name:
        known = account.known(name, state.accounts.trade_day)
        order_id = 0 if known is None else known.order_id
    order = None if account is None else account.orders.get(order_id)
    if account is None or order is None:
        return refused(
            Refusal.UNKNOWN_ORDER,
            f"account {command.account} has no open order {name or order_id}",
        )
    book = state.books[order.accepted.instrument]
    if book.phase is _CLOSED:
        return refused(Refusal.MARKET_CLOSED, f"instrument {book.instrument} is closed")
    if order.special is None and not book.watchful:
        return (close(state, account, book, order, _REQUESTED),)
    events: list[AnyEvent] = []
    cancel(state, order, _REQUESTED, events)
    follow_up(state, book, events)
    return tuple(events)


def cancel_all(state: State, sequence: int, command: CancelAll) -> Events:
    """Cancel open orders by age; where no instrument is named, closed ones keep theirs."""
    if not 0 <= command.side <= max(Side) or not is_tag(command.tag):
        return refused(
            Refusal.MALFORMED, f"side must be 0 to {max(Side)}, tag must match {TAG_PATTERN}"
        )
    account = state.accounts.get(command.account)
    if command.account and account is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    if command.instrument:
        book = state.books.get(command.instrument)
        if book is None:
            return refused(
                Refusal.UNKNOWN_INSTRUMENT, f"instrument {command.instrument} is not defined"
            )
        if book.phase is _CLOSED:
            return refused(Refusal.MARKET_CLOSED, f"instrument {book.instrument} is closed")
    chosen = [order for order in _open(state, account) if _chosen(command, order)]
    events: list[AnyEvent] = []
    count = cancel_each(state, _trading(state, chosen), _REQUESTED, events)
    events.append(OrdersCancelled(command.account, count))
    _follow_up_all(state, chosen, events)
    return tuple(events)


def set_kill_switch(state: State, sequence: int, command: SetKillSwitch) -> Events:
    """Stop an account or an instrument: its orders end, in closed markets too, and none come in."""
    if (not command.account) == (not command.instrument):
        return refused(Refusal.MALFORMED, "a kill switch has an account or an instrument, not both")
    account = state.accounts.get(command.account)
    book = state.books.get(command.instrument)
    if command.account and account is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    if command.instrument and book is None:
        return refused(
            Refusal.UNKNOWN_INSTRUMENT, f"instrument {command.instrument} is not defined"
        )
    events: list[AnyEvent] = [
        KillSwitchChanged(command.account, command.instrument, command.engaged)
    ]
    orders: list[Order] = []
    if account is not None:
        account.kill(command.engaged)
        orders = list(account.orders.values())
    if book is not None:
        book.killed = command.engaged
        book.enter(book.phase)
        orders = book.orders()
    if command.engaged:
        cancel_each(state, orders, CancelReason.KILLED, events)
    _follow_up_all(state, orders, events)
    return tuple(events)


def set_heartbeat(state: State, sequence: int, command: SetHeartbeat) -> Events:
    """Begin, renew or end an account's heartbeat."""
    account = state.accounts.get(command.account)
    if account is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    if not 0 <= command.timeout_ns <= HEARTBEAT_NS_MAX:
        return refused(
            Refusal.MALFORMED,
            f"timeout_ns must be 0 to {HEARTBEAT_NS_MAX}, found {command.timeout_ns}",
        )
    due_ns = state.time_ns + command.timeout_ns if command.timeout_ns else 0
    before_ns = account.heartbeat_due_ns
    account.heartbeat_due_ns = state.set_timer(TimerKind.HEARTBEAT, account.id, before_ns, due_ns)
    return (HeartbeatSet(account.id, due_ns),)


def miss_heartbeat(state: State, account: Account, events: list[AnyEvent]) -> None:
    """Cancel what an account has open whose heartbeat did not come, in closed markets too."""
    due_ns = account.heartbeat_due_ns
    account.heartbeat_due_ns = state.set_timer(TimerKind.HEARTBEAT, account.id, due_ns, 0)
    events.append(HeartbeatMissed(account.id))
    orders = list(account.orders.values())
    cancel_each(state, orders, CancelReason.DISCONNECTED, events)
    _follow_up_all(state, orders, events)


def _open(state: State, account: Account | None) -> Iterable[Order]:
    accounts = state.accounts.values() if account is None else [account]
    return [order for each in accounts for order in each.orders.values()]


def _chosen(command: CancelAll, order: Order) -> bool:
    accepted = order.accepted
    tag = "" if accepted.terms is None else accepted.terms.tag
    return (
        command.instrument in {0, accepted.instrument}
        and command.side in {0, accepted.side}
        and command.tag in {"", tag}
    )


def _trading(state: State, orders: list[Order]) -> list[Order]:
    books = state.books
    return [order for order in orders if books[order.accepted.instrument].phase is not _CLOSED]


def _follow_up_all(state: State, orders: list[Order], events: list[AnyEvent]) -> None:
    """Let the books go on from which orders were taken."""
    books: dict[int, Book] = {
        order.accepted.instrument: state.books[order.accepted.instrument] for order in orders
    }
    for _, book in sorted(books.items()):
        follow_up(state, book, events)

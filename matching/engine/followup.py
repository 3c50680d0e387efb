"""What a change of the book sets going in continuous trading: stops, and midpoints that meet."""

from matching.book import NO_LEVEL, Book
from matching.engine.fills import fill_resting
from matching.engine.removal import end_pair, take_out
from matching.engine.resting import at_any_price, cap_ticks, finish, limit_key
from matching.engine.state import State
from matching.engine.taker import Taker
from matching.engine.taking import keep_apart, take
from matching.order import Order
from matching.protocol.events import AnyEvent, OrderActivated
from matching.protocol.units import FillKind, OrderKind, Side


def follow_up(state: State, book: Book, events: list[AnyEvent]) -> None:
    """Trigger stops and let midpoints meet, until nothing more happens or trading is interrupted.

    Ends, for each round takes orders out: every stop is triggered once.
    """
    if not book.watchful:
        return
    while book.matches and (_trigger(state, book, events) or _cross_midpoints(state, book, events)):
        pass
    book.watch()


def _trigger(state: State, book: Book, events: list[AnyEvent]) -> bool:
    """Trigger the stops that the last price meets, oldest first; tell whether there were any."""
    if not book.stops or book.seen_ticks == book.reference_ticks:
        return False
    book.seen_ticks = book.reference_ticks
    due = book.stops.met(book.reference_ticks)
    for order in due:
        if not book.matches:
            book.seen_ticks = 0
            break
        # Its pair may have traded with one that was triggered before it.
        if order.id in state.accounts[order.account].orders:
            _activate(state, book, order, events)
    return bool(due)


def _activate(state: State, book: Book, order: Order, events: list[AnyEvent]) -> None:
    """Let a triggered order take, and rest or end what it leaves."""
    account, accepted = state.accounts[order.account], order.accepted
    take_out(state, account, book, order)
    unlimited = at_any_price(accepted.kind)
    price = cap_ticks(book, order.side) if unlimited else order.price_ticks
    kind = OrderKind.MARKET if unlimited else OrderKind.LIMIT
    shown = 0 if unlimited else price
    events.append(OrderActivated(order.id, account.id, book.instrument, kind, shown))
    end_pair(state, order, events)
    buying = order.side is Side.BUY
    prevention = accepted.self_trade_prevention
    taker = Taker(order.id, account, book, order.side, order.open_lots, prevention, by_cash=buying)
    take(state, taker, limit_key(order.side, price), events)
    finish(state, taker, accepted, price, order.expires_at_ns, events, triggered=True)


def _cross_midpoints(state: State, book: Book, events: list[AnyEvent]) -> bool:
    """Let midpoint orders trade with each other, best limit first; tell whether any met."""
    met = False
    bids, asks = book.midpoint_bids, book.midpoint_asks
    while NO_LEVEL not in (bids.best, asks.best) and (price := book.middle()):
        if bids.best > -price or asks.best > price:
            break
        met = True
        buy, sell = bids.first(), asks.first()
        lots = min(buy.open_lots, sell.open_lots)
        if buy.holder == sell.holder:
            keep_apart(state, buy, sell, lots, events)
            continue
        fill_resting(state, book, buy, sell, price, lots, FillKind.MIDPOINT, events)
        state.trade_at(book, price)
    return met

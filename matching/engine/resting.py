"""How an order comes to rest or to wait, and what becomes of a taker's rest."""

from matching.accounts import Account
from matching.book import Book
from matching.engine.phases import interrupt
from matching.engine.state import State, TimerKind
from matching.engine.taker import Taker
from matching.engine.validity import AT_ONCE
from matching.order import Order, Place, Special
from matching.protocol.events import AnyEvent, OrderAccepted, OrderCancelled
from matching.protocol.units import CancelReason, OrderKind, Side, TimeInForce

_BUY = Side.BUY
_MARKET_KINDS = frozenset({OrderKind.MARKET, OrderKind.STOP, OrderKind.TRAILING_STOP})


def at_any_price(kind: OrderKind) -> bool:
    """Tell whether an order of this kind trades at any price, once it does."""
    return kind in _MARKET_KINDS


def cap_ticks(book: Book, side: Side) -> int:
    """Return what an order at any price may pay at most: the band's upper bound; 0 to sell."""
    return book.high if side is _BUY else 0


def limit_key(order_side: Side, price_ticks: int) -> int:
    """Return the key of the last level that a limit meets; a sale at any price has 0."""
    return price_ticks if order_side is _BUY else -price_ticks


def open_order(
    state: State,
    account: Account,
    book: Book,
    accepted: OrderAccepted,
    price_ticks: int,
    lots: int,
    place: Place,
    expires_at_ns: int,
    stop_price_ticks: int = 0,
) -> Order:
    """Put an accepted order in its place with `lots` open, and hold what it may cost.

    The caller has checked that the account can hold it.
    """
    side = accepted.side
    maker_ppm, _, hold_ppm = book.fees[account.holder.tier]
    held = book.hold_units(side, price_ticks, lots, hold_ppm)
    order = Order(
        accepted.order_id,
        account.id,
        account.holder.id,
        side,
        price_ticks,
        lots,
        held,
        maker_ppm,
        hold_ppm,
        accepted,
        _special(accepted, place, expires_at_ns, stop_price_ticks),
    )
    order.show(lots)
    hold(account, book, order, held)
    account.orders[order.id] = order
    book.add(order)
    state.set_timer(TimerKind.EXPIRY, order.id, 0, expires_at_ns, account.id)
    return order


def expiry_ns(state: State, accepted: OrderAccepted) -> int:
    """Return when an order that comes in now expires, 0 for never."""
    if accepted.time_in_force is TimeInForce.DAY:
        return state.accounts.day_end_ns
    return 0 if accepted.terms is None else accepted.terms.expires_at_ns


def hold(account: Account, book: Book, order: Order, units: int) -> None:
    """Move units of what the order trades away from available to held, or (negative) back."""
    asset = book.quote_asset if order.side is _BUY else book.base_asset
    account.available[asset] -= units
    account.held[asset] += units
    assert account.available[asset] >= 0, "what a hold covered, it covers after any fill"


def _special(
    accepted: OrderAccepted, place: Place, expires_at_ns: int, stop_price_ticks: int
) -> Special | None:
    iceberg = accepted.terms is not None and accepted.terms.display_lots
    opening = accepted.time_in_force is TimeInForce.AT_THE_OPEN
    if place is Place.LEVEL and not (expires_at_ns or iceberg or opening):
        return None
    return Special(place, 0, stop_price_ticks, 0, expires_at_ns)


def finish(
    state: State,
    taker: Taker,
    accepted: OrderAccepted,
    price_ticks: int,
    expires_at_ns: int,
    events: list[AnyEvent],
    *,
    triggered: bool = False,
) -> None:
    """Take in its last price, rest what it left open or cancel it, interrupt if it came to that.

    The rest of a triggered stop without limit goes on in the auction that interrupts it.
    """
    lots, account, book = taker.remaining, taker.account, taker.book
    interrupted = taker.interrupted
    if taker.traded_at:
        state.trade_at(book, taker.traded_at)
    if lots:
        unlimited = at_any_price(accepted.kind)
        goes = accepted.time_in_force in AT_ONCE or (unlimited and not (triggered and interrupted))
        if taker.reason is None and goes:
            taker.reason = CancelReason.INTERRUPTED if interrupted else CancelReason.IMMEDIATE
        short = False
        if taker.reason is None and triggered and accepted.side is _BUY:
            hold_ppm = book.fees[account.holder.tier][2]
            held = book.hold_units(_BUY, price_ticks, lots, hold_ppm)
            short = held > account.available[book.quote_asset]
        if short:
            taker.reason = CancelReason.INSUFFICIENT
        if taker.reason is not None:
            events.append(
                OrderCancelled(taker.order_id, account.id, book.instrument, taker.reason, lots)
            )
        else:
            place = Place.MARKET if unlimited else Place.LEVEL
            if accepted.kind is OrderKind.MIDPOINT:
                place = Place.MIDPOINT
            open_order(state, account, book, accepted, price_ticks, lots, place, expires_at_ns)
    if interrupted:
        interrupt(state, book, interrupted, events)

"""How an order comes in that is not an ordinary limit order in continuous trading."""

from msgspec.structs import astuple, replace

from matching.accounts import Account
from matching.book import NO_LEVEL, Book
from matching.engine.followup import follow_up
from matching.engine.removal import cancel
from matching.engine.resting import (
    at_any_price,
    cap_ticks,
    expiry_ns,
    finish,
    hold,
    limit_key,
    open_order,
)
from matching.engine.state import Events, State, refused
from matching.engine.taker import Taker
from matching.engine.taking import take, unfillable
from matching.engine.validity import (
    NO_TERMS,
    STOP_KINDS,
    account_refusal,
    collar_refusal,
    content_fault,
    hold_refusal,
    market_refusal,
    phase_refusal,
    price_refusal,
    quantity_refusal,
    value_refusal,
)
from matching.order import Order, Place, Special
from matching.protocol.commands import PlaceOrder
from matching.protocol.events import AnyEvent, OrderAccepted, OrderParked, OrderRepeated
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PRICE_TICKS_MAX,
    CancelReason,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
)

_BUY = Side.BUY
_ANY_PRICE = NO_LEVEL - 1
_OWN_PRICE = frozenset({OrderKind.BEST_LIMIT, OrderKind.TOP_PRIORITY_LIMIT})


def enter(state: State, sequence: int, account: Account, book: Book, command: PlaceOrder) -> Events:
    """Accept or refuse an order whose client order id is free; the first reason counts."""
    fault = content_fault(command)
    if fault:
        return refused(Refusal.MALFORMED, fault)
    terms = command.terms or NO_TERMS
    refusal = account_refusal(account, book) or market_refusal(book) or phase_refusal(book, command)
    if refusal is not None:
        return refusal
    if terms.expires_at_ns and terms.expires_at_ns <= state.time_ns:
        return refused(
            Refusal.EXPIRY_PASSED, f"expires at {terms.expires_at_ns}, it is {state.time_ns}"
        )
    found = _found_price(book, command)
    if found is None or (command.kind in STOP_KINDS and not book.reference_ticks):
        return refused(
            Refusal.NO_REFERENCE_PRICE, f"there is no price that {command.kind.name} can go by"
        )
    price, stop = found, terms.stop_price_ticks
    if terms.trail_ticks:
        trail = terms.trail_ticks
        stop = book.reference_ticks + (trail if command.side is _BUY else -trail)
    refusal = _prices_refusal(book, command, price, stop) or quantity_refusal(
        book, command.quantity_lots
    )
    if refusal is not None:
        return refusal
    if stop and triggers(book, command.side, stop):
        return refused(
            Refusal.STOP_WOULD_TRIGGER,
            f"stop {stop} is met by the last price {book.reference_ticks}",
        )
    partner = _partner(account, command)
    if terms.pair and partner is None:
        return refused(
            Refusal.PAIR_UNKNOWN,
            f"no order {terms.pair} waits that this one could be paired with",
        )
    return _admit(state, account, book, accept(sequence, command, price), stop, partner)


def accept(order_id: int, command: PlaceOrder, price_ticks: int) -> OrderAccepted:
    """Return the acceptance: the order behind its number, with the limit it found for itself."""
    # Field by field the same (a test compares them).
    accepted = OrderAccepted(order_id, *astuple(command))
    if command.kind in _OWN_PRICE:
        return replace(accepted, price_ticks=price_ticks)
    return accepted


def repeated(known: OrderAccepted, command: PlaceOrder) -> Events:
    """Answer an order under a known client order id: the same one, or another's content."""
    if accept(known.order_id, command, known.price_ticks) == known:
        return (OrderRepeated(known.order_id, known.account, known.client_order_id),)
    return refused(
        Refusal.CLIENT_ORDER_ID_REUSED,
        f"client order id {known.client_order_id} is order {known.order_id} with other content",
    )


def triggers(book: Book, side: Side, stop_price_ticks: int) -> bool:
    """Tell whether the reference meets a stop."""
    if side is _BUY:
        return stop_price_ticks <= book.reference_ticks
    return stop_price_ticks >= book.reference_ticks


def _found_price(book: Book, command: PlaceOrder) -> int | None:
    """Return the limit of an order: its own, or the one it finds; None where there is none."""
    kind, buying = command.kind, command.side is _BUY
    if kind not in _OWN_PRICE:
        return command.price_ticks
    best = book.asks.best if buying == (kind is OrderKind.BEST_LIMIT) else book.bids.best
    return None if best == NO_LEVEL else abs(best)


def _prices_refusal(
    book: Book, command: PlaceOrder, price_ticks: int, stop_price_ticks: int
) -> Events | None:
    limited = not at_any_price(command.kind)
    refusal = price_refusal(book, price_ticks) if limited else None
    if refusal is not None:
        return refusal
    if command.kind is OrderKind.TRAILING_STOP and not 0 < stop_price_ticks <= PRICE_TICKS_MAX:
        return refused(
            Refusal.PRICE_INVALID,
            f"the stop would stand at {stop_price_ticks}, must be 1 to {PRICE_TICKS_MAX} ticks",
        )
    if command.terms is not None and command.terms.stop_price_ticks:
        refusal = price_refusal(book, stop_price_ticks)
        if refusal is not None:
            return refusal
    return collar_refusal(book, command.side, price_ticks, stop_price_ticks) if limited else None


def _partner(account: Account, command: PlaceOrder) -> Order | None:
    """Return the waiting stop order with which the order makes a pair, if there is one."""
    terms = command.terms or NO_TERMS
    known = account.known(terms.pair, account.day) if terms.pair else None
    partner = None if known is None else account.orders.get(known.order_id)
    if partner is None or partner.place is not Place.STOP or partner.pair:
        return None
    accepted = partner.accepted
    wanted = (command.instrument, command.side, command.quantity_lots)
    return partner if (accepted.instrument, accepted.side, partner.open_lots) == wanted else None


def _admit(
    state: State,
    account: Account,
    book: Book,
    accepted: OrderAccepted,
    stop_price_ticks: int,
    partner: Order | None,
) -> Events:
    """Accept a sound order if its account can hold what it may cost; park, rest or let it take."""
    side, lots, unlimited = accepted.side, accepted.quantity_lots, at_any_price(accepted.kind)
    price = cap_ticks(book, side) if unlimited else accepted.price_ticks
    at_close = accepted.time_in_force is TimeInForce.AT_THE_CLOSE
    place = Place.MARKET if unlimited else Place.LEVEL
    if accepted.kind in STOP_KINDS:
        place = Place.STOP
    elif at_close and book.phase is not Phase.CLOSING_AUCTION:
        place = Place.CLOSE
    elif accepted.kind is OrderKind.MIDPOINT:
        place = Place.MIDPOINT
    takes = book.matches and place not in (Place.STOP, Place.CLOSE)
    asset = book.quote_asset if side is _BUY else book.base_asset
    hold_ppm = book.fees[account.holder.tier][2]
    held = book.hold_units(side, price, lots, hold_ppm)
    freed = min(held, partner.held_units) if partner is not None else 0
    unit = book.quote_units_per_tick_lot
    at_ticks = accepted.price_ticks or stop_price_ticks or book.reference_ticks
    terms = accepted.terms or NO_TERMS
    value = terms.cash_units or at_ticks * lots * unit
    if takes and unlimited and side is _BUY:
        refusal = value_refusal(book, value)
    else:
        available = account.available.get(asset, 0) + freed
        refusal = hold_refusal(book, asset, available, price * lots * unit, held, value)
    if refusal is not None:
        return refusal
    if takes and (partner is None or book.meets(side, price)):
        return take_at_once(state, account, book, accepted, price, partner)
    account.ids[accepted.client_order_id] = accepted
    events: list[AnyEvent] = [accepted]
    if partner is not None:
        hold(account, book, partner, -freed)
        partner.held_units -= freed
    expires_at_ns = expiry_ns(state, accepted)
    order = open_order(
        state, account, book, accepted, price, lots, place, expires_at_ns, stop_price_ticks
    )
    if partner is not None:
        assert partner.special is not None
        order.special = order.special or Special()
        order.special.pair, partner.special.pair = partner.id, order.id
    if place in (Place.STOP, Place.CLOSE):
        events.append(OrderParked(order.id, account.id, book.instrument, stop_price_ticks))
    follow_up(state, book, events)
    return tuple(events)


def take_at_once(
    state: State,
    account: Account,
    book: Book,
    accepted: OrderAccepted,
    price_ticks: int,
    partner: Order | None = None,
) -> Events:
    """Let an accepted order take what it meets, then rest or cancel what is left."""
    side = accepted.side
    unlimited = at_any_price(accepted.kind)
    key = _ANY_PRICE if unlimited else limit_key(side, price_ticks)
    terms = accepted.terms or NO_TERMS
    taker = Taker(
        accepted.order_id,
        account,
        book,
        side,
        accepted.quantity_lots,
        accepted.self_trade_prevention,
        by_cash=unlimited and side is _BUY,
        cash_units=terms.cash_units or None,
    )
    refusal = _at_once_refusal(taker, accepted, terms.minimum_lots, key)
    if refusal is not None:
        return refusal
    account.ids[accepted.client_order_id] = accepted
    events: list[AnyEvent] = [accepted]
    if partner is not None:
        cancel(state, partner, CancelReason.PAIRED, events)
    take(state, taker, key, events, midpoint=accepted.kind is OrderKind.MIDPOINT)
    finish(state, taker, accepted, price_ticks, expiry_ns(state, accepted), events)
    follow_up(state, book, events)
    return tuple(events)


def _at_once_refusal(
    taker: Taker, accepted: OrderAccepted, minimum_lots: int, key: int
) -> Events | None:
    """Return why an order that must not trade, or must trade at once, cannot be taken, or None."""
    if accepted.post_only and taker.book.meets(taker.side, accepted.price_ticks):
        return refused(
            Refusal.POST_ONLY_WOULD_TRADE,
            f"post-only at {accepted.price_ticks} would meet the other side's best price",
        )
    if minimum_lots and unfillable(taker, key, minimum_lots):
        return refused(Refusal.MINIMUM_UNFILLABLE, f"{minimum_lots} lots cannot trade at once")
    if accepted.time_in_force is TimeInForce.FOK:
        reason = unfillable(taker, key, taker.remaining)
        if reason is not None:
            return refused(reason, f"{taker.remaining} lots cannot trade whole at once")
    return None

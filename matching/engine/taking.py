"""Taking: an order that arrives takes from the other side, best price and oldest first.

What lives here is who trades with whom. What must not: who pays what (fills.py).
"""

from collections.abc import Iterable, Iterator

from matching.book import NO_LEVEL, BookSide
from matching.engine.fills import fill_makers
from matching.engine.removal import cancel, end_pair
from matching.engine.state import State
from matching.engine.taker import Taker
from matching.order import Order
from matching.protocol.events import AnyEvent, MarketInterrupted, OrderCancelled, OrderReduced
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PARTS_PER_MILLION,
    CancelReason,
    FillKind,
    SelfTradePrevention,
    Side,
)

_BUY = Side.BUY


def take(
    state: State,
    taker: Taker,
    limit_key: int,
    events: list[AnyEvent],
    *,
    midpoint: bool = False,
) -> None:
    """Match the taker against all that it may meet up to `limit_key` (ask, or negated bid price).

    First the midpoints, then the levels up to the volatility bound; a midpoint order meets
    midpoints alone, though their price be no better than the best level.
    """
    book, opposite = taker.book, taker.opposite
    if midpoint:
        price = book.middle()
        if price and (price if taker.side is _BUY else -price) <= limit_key:
            _take_midpoints(state, taker, price, events)
        return
    if taker.midpoints.best != NO_LEVEL and (price := _middle_within(taker, limit_key)):
        _take_midpoints(state, taker, price, events)
    if opposite.best >= taker.near_key:  # else the best price itself lies beyond a bound
        _take_levels(state, taker, opposite, min(limit_key, taker.far_key), events)
    if opposite.best <= limit_key and taker.remaining and taker.reason is None:
        beyond = abs(opposite.best)
        if taker.by_cash and not taker.affordable_lots(beyond):
            taker.end_for_cash()
            return
        cause, reference_ticks = book.exceeded(beyond, taker.reference_ticks)
        taker.interrupted = MarketInterrupted(book.instrument, cause, reference_ticks, beyond)


def _take_midpoints(state: State, taker: Taker, price: int, events: list[AnyEvent]) -> None:
    """Match the taker against midpoint orders whose limit allows a price: best limit first."""
    key = price if taker.side is _BUY else -price
    _take_levels(state, taker, taker.midpoints, key, events, price, FillKind.MIDPOINT)


def _take_levels(
    state: State,
    taker: Taker,
    opposite: BookSide,
    bound_key: int,
    events: list[AnyEvent],
    at_ticks: int = 0,
    kind: FillKind = FillKind.CONTINUOUS,
) -> None:
    """Match the taker against levels up to a key, at one price or (0) at that of each."""
    holder = taker.account.holder.id
    while taker.remaining and taker.reason is None and opposite.best <= bound_key:
        lots, key = taker.remaining, bound_key
        if taker.by_cash:
            key = opposite.best
            lots = min(lots, taker.affordable_lots(at_ticks or abs(key)))
            if not lots:
                _end_for_cash(state, taker, opposite.first_met(holder), events)
                continue
        taken, own = opposite.take(key, lots, holder)
        if taken:
            fill_makers(state, taker, taken, events, at_ticks, kind)
        if own is not None:
            prevent(state, taker, own, events)


def _middle_within(taker: Taker, limit_key: int) -> int:
    """Return the midpoint if it is better for the taker than the best level and within its limit.

    0 where it is not.
    """
    price = taker.book.middle()
    key = price if taker.side is _BUY else -price
    return price if price and key < taker.opposite.best and key <= limit_key else 0


def _end_for_cash(state: State, taker: Taker, maker: Order, events: list[AnyEvent]) -> None:
    """End a taker who cannot pay for one lot more; an own order in its way comes first."""
    if maker.holder == taker.account.holder.id:
        prevent(state, taker, maker, events)
    else:
        taker.end_for_cash()


def prevent(state: State, taker: Taker, maker: Order, events: list[AnyEvent]) -> None:
    """Keep two orders of one holder apart, as the incoming one asks."""
    match taker.prevention:
        case SelfTradePrevention.CANCEL_NEWEST:
            taker.reason = CancelReason.SELF_TRADE
        case SelfTradePrevention.CANCEL_OLDEST:
            cancel(state, maker, CancelReason.SELF_TRADE, events)
        case SelfTradePrevention.CANCEL_BOTH:
            cancel(state, maker, CancelReason.SELF_TRADE, events)
            taker.reason = CancelReason.SELF_TRADE
        case SelfTradePrevention.REDUCE_BOTH:
            _reduce(state, taker, maker, events)


def _reduce(state: State, taker: Taker, maker: Order, events: list[AnyEvent]) -> None:
    """Take the smaller open quantity off both; an order reduced to nothing is closed as well."""
    lots = min(taker.remaining, maker.open_lots)
    taker.remaining -= lots
    reduce(state, maker, lots, events)
    taker_id, taker_account = taker.order_id, taker.account.id
    instrument = taker.book.instrument
    events.append(OrderReduced(taker_id, taker_account, instrument, lots, taker.remaining))
    if not taker.remaining:
        reason = CancelReason.SELF_TRADE
        events.append(OrderCancelled(taker_id, taker_account, instrument, reason, 0))


def reduce(
    state: State,
    order: Order,
    lots: int,
    events: list[AnyEvent],
    reason: CancelReason = CancelReason.SELF_TRADE,
) -> None:
    """Take lots off an open order without a fill; it is closed when nothing is left."""
    left = order.open_lots - lots
    instrument = order.accepted.instrument
    events.append(OrderReduced(order.id, order.account, instrument, lots, left))
    resize(state, order, left)
    if left:
        end_pair(state, order, events)
    else:
        cancel(state, order, reason, events)


def keep_apart(
    state: State, buy: Order, sell: Order, lots: int, events: list[AnyEvent]
) -> list[Order]:
    """Keep two resting orders of one holder apart as the younger asks; return which it cancelled.

    `lots` is the smaller open quantity of the two.
    """
    older, younger = (buy, sell) if buy.id < sell.id else (sell, buy)
    ending: list[Order] = []
    match younger.accepted.self_trade_prevention:
        case SelfTradePrevention.CANCEL_NEWEST:
            ending = [younger]
        case SelfTradePrevention.CANCEL_OLDEST:
            ending = [older]
        case SelfTradePrevention.CANCEL_BOTH:
            ending = [older, younger]
        case SelfTradePrevention.REDUCE_BOTH:
            for order in (older, younger):
                reduce(state, order, lots, events)
    for order in ending:
        cancel(state, order, CancelReason.SELF_TRADE, events)
    return ending


def resize(state: State, order: Order, lots: int) -> None:
    """Set an order's open quantity in its place and free what it no longer has to hold.

    Of an iceberg, what is hidden goes first.
    """
    account, book = state.accounts[order.account], state.books[order.accepted.instrument]
    held = book.hold_units(order.side, order.price_ticks, lots, order.hold_ppm)
    freed = order.held_units - held
    assert freed >= 0
    asset = book.quote_asset if order.side is _BUY else book.base_asset
    account.held[asset] -= freed
    account.available[asset] += freed
    order.held_units = held
    if order.special is not None and order.special.hidden_lots:
        order.visible_lots = min(order.visible_lots, lots)
        order.special.hidden_lots = lots - order.visible_lots
    else:
        order.visible_lots = lots


def unfillable(taker: Taker, limit_key: int, wanted: int) -> Refusal | None:
    """Return why so many lots cannot trade at once, having regard to self-trade prevention.

    An own order in the way ends the incoming one, unless the older one is to be cancelled.
    """
    book = taker.book
    holder = taker.account.holder.id
    skips_own = taker.prevention is SelfTradePrevention.CANCEL_OLDEST
    cash = taker.account.available.get(book.quote_asset, 0)
    for price, makers in _met(taker, limit_key):
        before = wanted
        for maker in makers:
            if maker.holder == holder:
                if skips_own:
                    continue
                return Refusal.FILL_OR_KILL_UNFILLABLE
            wanted -= min(wanted, maker.open_lots)
            if not wanted:
                break
        if taker.by_cash:
            # As one fill, which costs no less than any that it may be split into.
            quote = (before - wanted) * price * book.quote_units_per_tick_lot
            cash -= quote + quote * taker.taker_ppm // PARTS_PER_MILLION
            if cash < 0:
                return Refusal.INSUFFICIENT_BALANCE
        if not wanted:
            return None
    return Refusal.FILL_OR_KILL_UNFILLABLE


def _met(taker: Taker, limit_key: int) -> Iterator[tuple[int, Iterable[Order]]]:
    """Yield what the taker would meet, by price: midpoints, then levels up to the bound.

    In a level that is shared out, an own order is met first.
    """
    opposite, midpoints = taker.opposite, taker.midpoints
    price = _middle_within(taker, limit_key) if midpoints.best != NO_LEVEL else 0
    if price:
        keys = midpoints.keys.irange(maximum=price if taker.side is _BUY else -price)
        yield price, [maker for key in keys for maker in midpoints.levels[key].values()]
    holder = taker.account.holder.id
    far_key = min(limit_key, taker.far_key)
    for key in opposite.keys.irange(maximum=far_key) if opposite.best >= taker.near_key else ():
        makers: Iterable[Order] = opposite.levels[key].values()
        if opposite.pro_rata:
            makers = sorted(makers, key=lambda order: order.holder != holder)
        yield abs(key), makers

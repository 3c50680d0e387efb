"""Placing and amending orders; the way to rest is kept short, for it is most of the flow."""

from msgspec.structs import astuple

from matching.accounts import Account
from matching.book import NO_LEVEL, Book
from matching.engine.fills import Taker, resize, take, unfillable
from matching.engine.state import Events, State, refused
from matching.engine.validity import hold_refusal, is_client_order_id, order_refusal, terms_refusal
from matching.order import Order
from matching.protocol.commands import AmendOrder, PlaceOrder
from matching.protocol.events import (
    AnyEvent,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderRepeated,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PARTS_PER_MILLION,
    UNITS_MAX,
    CancelReason,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
)

_BUY = Side.BUY
_LIMIT = OrderKind.LIMIT
_GTC = TimeInForce.GTC
_CONTINUOUS = Phase.CONTINUOUS
_ANY_PRICE = NO_LEVEL - 1


def place_order(state: State, sequence: int, command: PlaceOrder) -> Events:
    """Accept, repeat or refuse an order; `sequence` becomes its id."""
    number, name, instrument, side, kind, force, price, lots, post_only, _, _ = astuple(command)
    account = state.accounts.get(number)
    if account is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, f"account {number} is not open")
    if name in account.ids or name in account.older_ids:
        return _repeated(account.ids.get(name) or account.older_ids[name], command)
    book = state.books.get(instrument)
    if book is None:
        return refused(Refusal.UNKNOWN_INSTRUMENT, f"instrument {instrument} is not defined")
    holder = account.holder
    if not (
        kind is _LIMIT
        and (force is _GTC or not post_only)
        and book.low <= price <= book.high
        and 0 < lots <= book.quantity_lots_max
        and book.phase is _CONTINUOUS
        and account.trades
        and holder.allowed & book.class_bit
        and is_client_order_id(name)
        and (not book.tick_table or book.allows(price))
    ):
        refusal = order_refusal(account, book, command)
        return refusal or _take(state, account, book, _accept(sequence, command), _ANY_PRICE)
    notional = price * lots * book.quote_units_per_tick_lot
    if side is _BUY:
        asset = book.quote_asset
        held = notional + notional * book.hold_ppm // PARTS_PER_MILLION
        key, own, opposite = -price, book.bids, book.asks
    else:
        asset = book.base_asset
        held = lots * book.base_units_per_lot
        key, own, opposite = price, book.asks, book.bids
    free = account.available.get(asset, 0) - held
    if notional > UNITS_MAX or free < 0:
        return hold_refusal(account, asset, notional, held)
    accepted = _accept(sequence, command)
    if opposite.best <= -key or force is not _GTC:
        return _take(state, account, book, accepted, -key)
    order = Order(
        sequence,
        number,
        holder.id,
        side,
        price,
        lots,
        held,
        book.maker_fee_ppm,
        book.hold_ppm,
        accepted,
    )
    account.available[asset] = free
    account.held[asset] += held
    account.ids[name] = accepted
    account.orders[sequence] = order
    level = own.levels.get(key)
    if level is None:
        own.add(key, order)
    else:
        level[sequence] = order
    return (accepted,)


def _accept(sequence: int, command: PlaceOrder) -> OrderAccepted:
    # An acceptance is the order behind its number, field by field (a test compares them).
    return OrderAccepted(sequence, *astuple(command))


def _repeated(known: OrderAccepted, command: PlaceOrder) -> Events:
    """Answer an order under a known client order id: the same one, or another's content."""
    if _accept(known.order_id, command) == known:
        return (OrderRepeated(known.order_id, known.account, known.client_order_id),)
    return refused(
        Refusal.CLIENT_ORDER_ID_REUSED,
        f"client order id {known.client_order_id} is order {known.order_id} with other content",
    )


def _take(
    state: State, account: Account, book: Book, accepted: OrderAccepted, limit_key: int
) -> Events:
    """Let an accepted order take what it meets, then rest or cancel what is left."""
    if accepted.post_only:
        return refused(
            Refusal.POST_ONLY_WOULD_TRADE,
            f"post-only at {accepted.price_ticks} would meet the other side's best price",
        )
    taker = Taker(
        accepted.order_id,
        account,
        book,
        accepted.side,
        accepted.quantity_lots,
        accepted.self_trade_prevention,
        by_cash=accepted.kind is OrderKind.MARKET and accepted.side is _BUY,
    )
    if accepted.time_in_force is TimeInForce.FOK:
        reason = unfillable(taker, limit_key)
        if reason is not None:
            return refused(reason, f"{accepted.quantity_lots} lots cannot trade whole at once")
    account.ids[accepted.client_order_id] = accepted
    events: list[AnyEvent] = [accepted]
    take(state, taker, limit_key, events)
    if taker.reason is None and accepted.time_in_force is not _GTC:
        taker.reason = CancelReason.IMMEDIATE
    _settle(taker, accepted, accepted.price_ticks, events)
    return tuple(events)


def _settle(
    taker: Taker, accepted: OrderAccepted, price_ticks: int, events: list[AnyEvent]
) -> None:
    """Rest what the taker left open, or cancel it for its reason."""
    lots = taker.remaining
    if not lots:
        return
    account, book = taker.account, taker.book
    if taker.reason is not None:
        events.append(
            OrderCancelled(taker.order_id, account.id, book.instrument, taker.reason, lots)
        )
        return
    held = book.hold_units(taker.side, price_ticks, lots, book.hold_ppm)
    order = Order(
        taker.order_id,
        account.id,
        account.holder.id,
        taker.side,
        price_ticks,
        lots,
        held,
        book.maker_fee_ppm,
        book.hold_ppm,
        accepted,
    )
    asset = book.quote_asset if taker.side is _BUY else book.base_asset
    account.available[asset] -= held
    assert account.available[asset] >= 0, "what a hold covered, it covers after any fill"
    account.held[asset] += held
    account.orders[order.id] = order
    book.add(order)


def amend_order(state: State, sequence: int, command: AmendOrder) -> Events:
    """Change price or open quantity of a resting order; losing priority takes today's fee terms."""
    account = state.accounts.get(command.account)
    order = None if account is None else account.orders.get(command.order_id)
    if account is None or order is None:
        return refused(
            Refusal.UNKNOWN_ORDER,
            f"account {command.account} has no open order {command.order_id}",
        )
    accepted = order.accepted
    book = state.books[accepted.instrument]
    price, lots = command.price_ticks, command.quantity_lots
    refusal = terms_refusal(book, price, lots)
    if refusal is not None:
        return refusal
    if (price, lots) == (order.price_ticks, order.remaining_lots):
        return refused(Refusal.UNCHANGED, f"order {order.id} is {lots} lots at {price} already")
    if price == order.price_ticks and lots < order.remaining_lots:
        resize(account, book, order, lots)
        return (OrderAmended(order.id, account.id, book.instrument, price, lots, True),)
    side = order.side
    asset = book.quote_asset if side is _BUY else book.base_asset
    held = book.hold_units(side, price, lots, book.hold_ppm)
    notional = price * lots * book.quote_units_per_tick_lot
    if notional > UNITS_MAX or held > account.available[asset] + order.held_units:
        return hold_refusal(account, asset, notional, held)
    if accepted.post_only and book.crosses(side, price):
        return refused(Refusal.POST_ONLY_WOULD_TRADE, f"post-only at {price} would trade")
    book.remove(order)
    del account.orders[order.id]
    account.held[asset] -= order.held_units
    account.available[asset] += order.held_units
    amended = OrderAmended(order.id, account.id, book.instrument, price, lots, False)
    events: list[AnyEvent] = [amended]
    prevention = accepted.self_trade_prevention
    taker = Taker(order.id, account, book, side, lots, prevention, by_cash=False)
    take(state, taker, price if side is _BUY else -price, events)
    _settle(taker, accepted, price, events)
    return tuple(events)

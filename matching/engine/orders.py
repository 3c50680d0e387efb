"""Placing orders; the way of an ordinary one to rest is kept short, for it is most of the flow.

What is not an ordinary limit order in continuous trading goes the long way (entry.py).
"""

from msgspec.structs import astuple

from matching.engine.entry import enter, repeated, take_at_once
from matching.engine.state import Events, State, refused
from matching.engine.validity import is_client_order_id
from matching.order import Order
from matching.protocol.commands import PlaceOrder
from matching.protocol.events import OrderAccepted
from matching.protocol.refusals import Refusal
from matching.protocol.units import PARTS_PER_MILLION, OrderKind, Side, TimeInForce

_BUY = Side.BUY
_LIMIT = OrderKind.LIMIT
_GTC, _IOC, _FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK


def place_order(state: State, sequence: int, command: PlaceOrder) -> Events:
    """Accept, repeat or refuse an order; `sequence` becomes its id."""
    content = astuple(command)
    number, name, instrument, side, kind, force, price, lots, post_only, _, _, terms = content
    account = state.accounts.get(number)
    if account is None:
        return refused(Refusal.UNKNOWN_ACCOUNT, f"account {number} is not open")
    if account.day != state.accounts.trade_day:
        account.roll_to(state.accounts.trade_day)
    if name in account.ids or name in account.older_ids or name in account.lasting_ids:
        known = account.known(name, account.day)
        if known is not None:
            return repeated(known, command)
    book = state.books.get(instrument)
    if book is None:
        return refused(Refusal.UNKNOWN_INSTRUMENT, f"instrument {instrument} is not defined")
    holder = account.holder
    if not (
        kind is _LIMIT
        and terms is None
        and (force is _GTC or ((force is _IOC or force is _FOK) and not post_only))
        and book.low <= price <= book.high
        and 0 < lots <= book.quantity_lots_max
        and book.matches
        and account.trades
        and holder.allowed & book.class_bit
        and is_client_order_id(name)
        and (not book.tick_table or book.allows(price))
    ):
        return enter(state, sequence, account, book, command)
    notional = price * lots * book.quote_units_per_tick_lot
    maker_ppm, _, hold_ppm = book.fees[holder.tier]
    if side is _BUY:
        asset = book.quote_asset
        held = notional + notional * hold_ppm // PARTS_PER_MILLION
        key, own, opposite = -price, book.bids, book.asks
        inside = price <= book.buy_high
    else:
        asset = book.base_asset
        held = lots * book.base_units_per_lot
        key, own, opposite = price, book.asks, book.bids
        inside = price >= book.sell_low
    free = account.available.get(asset, 0) - held
    if notional > book.notional_units_max or free < 0 or not inside:
        return enter(state, sequence, account, book, command)
    accepted = OrderAccepted(sequence, *content)
    if opposite.best <= -key or force is not _GTC or book.watchful:
        return take_at_once(state, account, book, accepted, price)
    order = Order(
        sequence, number, holder.id, side, price, lots, held, maker_ppm, hold_ppm, accepted
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

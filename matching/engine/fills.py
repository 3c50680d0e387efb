"""Fills: who pays what when two orders trade.

Conservation: a fill moves base seller to buyer and quote buyer to seller, and fees in quote to the
revenue account. Every fee is rounded down, so the member gains under one unit a fill; a rebate is
at most the taker's fee of the same fill, so that revenue never pays.
"""

from matching.accounts import Account
from matching.book import Book, Taken
from matching.engine.removal import end_expiry, end_pair
from matching.engine.state import State
from matching.engine.taker import Taker
from matching.order import Order
from matching.protocol.events import AnyEvent, Filled, OrderReplenished
from matching.protocol.units import PARTS_PER_MILLION, FillKind, Side

_BUY = Side.BUY
_CONTINUOUS = FillKind.CONTINUOUS


def fill_makers(
    state: State,
    taker: Taker,
    taken: list[Taken],
    events: list[AnyEvent],
    at_ticks: int = 0,
    kind: FillKind = _CONTINUOUS,
) -> None:
    """Turn what was taken into fills, at one price or (0) each at its maker's.

    Makers are paid fill by fill; what the taker and revenue give and get is moved once, in sum.
    """
    book, side, order_id, account_id = taker.book, taker.side, taker.order_id, taker.account.id
    instrument, base_per_lot = book.instrument, book.base_units_per_lot
    unit, taker_ppm, selling = book.quote_units_per_tick_lot, taker.taker_ppm, side is _BUY
    accounts, fill_id, remaining = state.accounts, state.fills, taker.remaining
    quotes = maker_fees = taker_fees = 0
    for maker, lots, left, shown in taken:
        price = at_ticks or maker.price_ticks
        base = lots * base_per_lot
        quote = lots * price * unit
        maker_fee, taker_fee = fill_fees(quote, maker.maker_fee_ppm, taker_ppm)
        account = accounts[maker.account]
        if selling:
            freed = base
            account.held[book.base_asset] -= base
            account.available[book.quote_asset] += quote - maker_fee
        else:
            freed = _pay_buyer(account, book, maker, left, base, quote + maker_fee)
        if left:
            maker.held_units -= freed
        else:
            del account.orders[maker.id]
        fill_id += 1
        remaining -= lots
        quotes += quote
        maker_fees += maker_fee
        taker_fees += taker_fee
        events.append(
            Filled(
                fill_id, instrument, price, lots, base, quote, side, maker.id, order_id,
                maker.account, account_id, maker_fee, taker_fee, left, remaining, kind,
            )
        )  # fmt: skip
        if maker.special is not None:
            _follow_special(state, maker, left, shown, events)
    state.fills = fill_id
    _collect(state, taker, taker.remaining - remaining, quotes, maker_fees, taker_fees)
    taker.remaining = remaining
    taker.traded_at = price


def _follow_special(
    state: State, order: Order, left: int, shown: int, events: list[AnyEvent]
) -> None:
    """Do what a fill of an order that is not an ordinary one brings with it."""
    if shown:
        instrument = order.accepted.instrument
        events.append(OrderReplenished(order.id, order.account, instrument, shown))
    if not left:
        end_expiry(state, order)
    end_pair(state, order, events)


def _pay_buyer(account: Account, book: Book, maker: Order, left: int, base: int, owed: int) -> int:
    """Give a resting buyer its base, take what it owes out of its hold; return the units freed."""
    freed = maker.held_units
    if left:
        freed -= book.hold_units(_BUY, maker.price_ticks, left, maker.hold_ppm)
    assert freed >= owed, "a hold must cover its fills"
    account.held[book.quote_asset] -= freed
    account.available[book.quote_asset] += freed - owed
    account.available[book.base_asset] += base
    return freed


def _collect(
    state: State, taker: Taker, lots: int, quotes: int, maker_fees: int, taker_fees: int
) -> None:
    """Move what the taker gives and gets in all these fills, and the fees to revenue."""
    book, available, revenue = taker.book, taker.account.available, state.accounts.revenue
    base = lots * book.base_units_per_lot
    if taker.cash_units is not None:
        taker.cash_units -= quotes + taker_fees
    if taker.side is _BUY:
        available[book.base_asset] += base
        available[book.quote_asset] -= quotes + taker_fees
    else:
        available[book.base_asset] -= base
        available[book.quote_asset] += quotes - taker_fees
    assert revenue is not None and maker_fees + taker_fees >= 0
    revenue.available[book.quote_asset] += maker_fees + taker_fees


def fill_resting(
    state: State,
    book: Book,
    buy: Order,
    sell: Order,
    price_ticks: int,
    lots: int,
    kind: FillKind,
    events: list[AnyEvent],
) -> None:
    """Let two orders trade that both rest, the younger as taker.

    In an auction nobody takes: both pay their maker rate, and at least nothing.
    """
    maker, taker = (buy, sell) if buy.id < sell.id else (sell, buy)
    base = lots * book.base_units_per_lot
    quote = lots * price_ticks * book.quote_units_per_tick_lot
    if kind is FillKind.AUCTION:
        maker_fee, taker_fee = (
            quote * max(order.maker_fee_ppm, 0) // PARTS_PER_MILLION for order in (maker, taker)
        )
    else:
        tier = state.accounts[taker.account].holder.tier
        taker_ppm = min(book.fees[tier][1], taker.hold_ppm)
        maker_fee, taker_fee = fill_fees(quote, maker.maker_fee_ppm, taker_ppm)
    buyer_fee, seller_fee = (maker_fee, taker_fee) if maker is buy else (taker_fee, maker_fee)
    buyer, seller = state.accounts[buy.account], state.accounts[sell.account]
    left = buy.open_lots - lots
    buy.held_units -= _pay_buyer(buyer, book, buy, left, base, quote + buyer_fee)
    sell.held_units -= base
    seller.held[book.base_asset] -= base
    seller.available[book.quote_asset] += quote - seller_fee
    revenue = state.accounts.revenue
    assert revenue is not None and maker_fee + taker_fee >= 0
    revenue.available[book.quote_asset] += maker_fee + taker_fee
    state.fills += 1
    events.append(
        Filled(
            state.fills, book.instrument, price_ticks, lots, base, quote, taker.side, maker.id,
            taker.id, maker.account, taker.account, maker_fee, taker_fee, maker.open_lots - lots,
            taker.open_lots - lots, kind,
        )
    )  # fmt: skip
    for order in (maker, taker):
        _shrink(state, book, order, lots, events)


def _shrink(state: State, book: Book, order: Order, lots: int, events: list[AnyEvent]) -> None:
    """Take filled lots off a resting order, what is shown first; close it when nothing is left."""
    left = order.open_lots - lots
    shown = 0
    if not left:
        del state.accounts[order.account].orders[order.id]
        book.remove(order)
    elif lots < order.visible_lots:
        order.visible_lots -= lots
    else:
        book.remove(order)
        order.show(left)
        shown = order.visible_lots
        book.add(order)
    if order.special is not None:
        _follow_special(state, order, left, shown, events)


def fill_fees(quote_units: int, maker_ppm: int, taker_ppm: int) -> tuple[int, int]:
    """Return the maker's and the taker's fee in quote units; a rebate is a negative maker fee."""
    taker_fee = quote_units * taker_ppm // PARTS_PER_MILLION
    if maker_ppm < 0:
        return -min(quote_units * -maker_ppm // PARTS_PER_MILLION, taker_fee), taker_fee
    return quote_units * maker_ppm // PARTS_PER_MILLION, taker_fee

"""Fills: an incoming order takes from the other side of the book, best price and oldest first.

Conservation: a fill moves base seller to buyer and quote buyer to seller, and fees in quote to the
revenue account. Every fee is rounded down, so the member gains under one unit a fill; a rebate is
at most the taker's fee of the same fill, so that revenue never pays.
"""

from matching.accounts import Account
from matching.book import Book
from matching.engine.cancels import close
from matching.engine.state import State
from matching.order import Order
from matching.protocol.events import AnyEvent, Filled, OrderCancelled, OrderReduced
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PARTS_PER_MILLION,
    CancelReason,
    SelfTradePrevention,
    Side,
)

_BUY = Side.BUY


class Taker:
    """An incoming order while it takes; `reason` is set when it must not rest what is left.

    `by_cash` marks a market buy: it is bounded by the cash available instead of by a price.
    """

    __slots__ = (
        "account",
        "book",
        "by_cash",
        "opposite",
        "order_id",
        "prevention",
        "reason",
        "remaining",
        "side",
    )

    def __init__(
        self,
        order_id: int,
        account: Account,
        book: Book,
        side: Side,
        lots: int,
        prevention: SelfTradePrevention,
        by_cash: bool,
    ) -> None:
        self.order_id = order_id
        self.account = account
        self.book = book
        self.opposite = book.asks if side is _BUY else book.bids
        self.side = side
        self.remaining = lots
        self.prevention = prevention
        self.by_cash = by_cash
        self.reason: CancelReason | None = None


def take(state: State, taker: Taker, limit_key: int, events: list[AnyEvent]) -> None:
    """Match the taker against all levels up to `limit_key` (ask price, or negated bid price)."""
    book, opposite = taker.book, taker.opposite
    holder = taker.account.holder.id
    while taker.remaining and taker.reason is None and opposite.best <= limit_key:
        lots, key = taker.remaining, limit_key
        if taker.by_cash:
            key = opposite.best
            cash = taker.account.available.get(book.quote_asset, 0)
            lots = min(lots, affordable_lots(book, abs(key), cash))
            if not lots:
                _end_for_cash(state, taker, opposite.oldest(), events)
                continue
        taken, own = opposite.take(key, lots, holder)
        if taken:
            _fill(state, taker, taken, events)
        if own is not None:
            _prevent(state, taker, own, events)


def _end_for_cash(state: State, taker: Taker, maker: Order, events: list[AnyEvent]) -> None:
    """End a taker who cannot pay for one lot more; an own order in its way comes first."""
    if maker.holder == taker.account.holder.id:
        _prevent(state, taker, maker, events)
    else:
        taker.reason = CancelReason.INSUFFICIENT


def _fill(
    state: State, taker: Taker, taken: list[tuple[Order, int, int]], events: list[AnyEvent]
) -> None:
    """Turn what was taken into fills.

    Makers are paid fill by fill; what the taker and revenue give and get is moved once, in sum.
    """
    book, side, order_id, account_id = taker.book, taker.side, taker.order_id, taker.account.id
    instrument, base_per_lot = book.instrument, book.base_units_per_lot
    unit, taker_ppm, selling = book.quote_units_per_tick_lot, book.taker_fee_ppm, side is _BUY
    accounts, fill_id, remaining = state.accounts, state.fills, taker.remaining
    quotes = maker_fees = taker_fees = 0
    for maker, lots, left in taken:
        price = maker.price_ticks
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
                maker.account, account_id, maker_fee, taker_fee, left, remaining,
            )
        )  # fmt: skip
    book.last_price_ticks = price
    state.fills = fill_id
    _collect(state, taker, taker.remaining - remaining, quotes, maker_fees, taker_fees)
    taker.remaining = remaining


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
    if taker.side is _BUY:
        available[book.base_asset] += base
        available[book.quote_asset] -= quotes + taker_fees
    else:
        available[book.base_asset] -= base
        available[book.quote_asset] += quotes - taker_fees
    assert revenue is not None and maker_fees + taker_fees >= 0
    revenue.available[book.quote_asset] += maker_fees + taker_fees


def affordable_lots(book: Book, price_ticks: int, cash_units: int) -> int:
    """Return the most lots whose price and floored taker fee the cash covers.

    n + floor(n r / 10^6) <= c is n (10^6 + r) <= (c + 1) 10^6 - 1 for integers.
    """
    notional = ((cash_units + 1) * PARTS_PER_MILLION - 1) // (
        PARTS_PER_MILLION + book.taker_fee_ppm
    )
    return notional // (price_ticks * book.quote_units_per_tick_lot)


def fill_fees(quote_units: int, maker_ppm: int, taker_ppm: int) -> tuple[int, int]:
    """Return the maker's and the taker's fee in quote units; a rebate is a negative maker fee."""
    taker_fee = quote_units * taker_ppm // PARTS_PER_MILLION
    if maker_ppm < 0:
        return -min(quote_units * -maker_ppm // PARTS_PER_MILLION, taker_fee), taker_fee
    return quote_units * maker_ppm // PARTS_PER_MILLION, taker_fee


def _prevent(state: State, taker: Taker, maker: Order, events: list[AnyEvent]) -> None:
    """Keep two orders of one holder apart, as the incoming one asks."""
    book = taker.book
    account = state.accounts[maker.account]
    match taker.prevention:
        case SelfTradePrevention.CANCEL_NEWEST:
            taker.reason = CancelReason.SELF_TRADE
        case SelfTradePrevention.CANCEL_OLDEST:
            events.append(close(account, book, maker, CancelReason.SELF_TRADE))
        case SelfTradePrevention.CANCEL_BOTH:
            events.append(close(account, book, maker, CancelReason.SELF_TRADE))
            taker.reason = CancelReason.SELF_TRADE
        case SelfTradePrevention.REDUCE_BOTH:
            _reduce(account, taker, maker, events)


def _reduce(account: Account, taker: Taker, maker: Order, events: list[AnyEvent]) -> None:
    """Take the smaller open quantity off both; an order reduced to nothing is closed as well."""
    book = taker.book
    lots = min(taker.remaining, maker.remaining_lots)
    maker_left = maker.remaining_lots - lots
    taker.remaining -= lots
    instrument = book.instrument
    events.append(OrderReduced(maker.id, maker.account, instrument, lots, maker_left))
    resize(account, book, maker, maker_left)
    if not maker_left:
        events.append(close(account, book, maker, CancelReason.SELF_TRADE))
    taker_id, taker_account = taker.order_id, taker.account.id
    events.append(OrderReduced(taker_id, taker_account, instrument, lots, taker.remaining))
    if not taker.remaining:
        reason = CancelReason.SELF_TRADE
        events.append(OrderCancelled(taker_id, taker_account, instrument, reason, 0))


def resize(account: Account, book: Book, order: Order, lots: int) -> None:
    """Set an order's open quantity in its place and free what it no longer has to hold."""
    held = book.hold_units(order.side, order.price_ticks, lots, order.hold_ppm)
    freed = order.held_units - held
    assert freed >= 0
    asset = book.quote_asset if order.side is _BUY else book.base_asset
    account.held[asset] -= freed
    account.available[asset] += freed
    order.held_units = held
    order.remaining_lots = lots


def unfillable(taker: Taker, limit_key: int) -> Refusal | None:
    """Return why a fill-or-kill order cannot trade whole, having regard to self-trade prevention.

    An own order in the way ends the incoming one, unless the older one is to be cancelled.
    """
    book = taker.book
    opposite = taker.opposite
    holder = taker.account.holder.id
    skips_own = taker.prevention is SelfTradePrevention.CANCEL_OLDEST
    wanted = taker.remaining
    cash = taker.account.available.get(book.quote_asset, 0)
    for key in opposite.keys.irange(maximum=limit_key):
        for maker in opposite.levels[key].values():
            if maker.holder == holder:
                if skips_own:
                    continue
                return Refusal.FILL_OR_KILL_UNFILLABLE
            lots = min(wanted, maker.remaining_lots)
            if taker.by_cash:
                quote = lots * maker.price_ticks * book.quote_units_per_tick_lot
                cash -= quote + quote * book.taker_fee_ppm // PARTS_PER_MILLION
                if cash < 0:
                    return Refusal.INSUFFICIENT_BALANCE
            wanted -= lots
            if not wanted:
                return None
    return Refusal.FILL_OR_KILL_UNFILLABLE

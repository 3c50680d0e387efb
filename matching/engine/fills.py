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
    book = taker.book
    opposite = taker.opposite
    holder = taker.account.holder.id
    while taker.remaining and taker.reason is None and opposite.best <= limit_key:
        maker = next(iter(opposite.levels[opposite.best].values()))
        if maker.holder == holder:
            _prevent(state, taker, maker, events)
            continue
        lots = min(maker.remaining_lots, taker.remaining)
        if taker.by_cash:
            cash = taker.account.available.get(book.quote_asset, 0)
            lots = min(lots, affordable_lots(book, maker.price_ticks, cash))
            if not lots:
                taker.reason = CancelReason.INSUFFICIENT
                break
        _fill(state, taker, maker, lots, events)


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


def _fill(state: State, taker: Taker, maker: Order, lots: int, events: list[AnyEvent]) -> None:
    book = taker.book
    base_asset = book.base_asset
    quote_asset = book.quote_asset
    price = maker.price_ticks
    base = lots * book.base_units_per_lot
    quote = price * lots * book.quote_units_per_tick_lot
    maker_fee, taker_fee = fill_fees(quote, maker.maker_fee_ppm, book.taker_fee_ppm)
    maker_left = maker.remaining_lots - lots
    buying = taker.side is _BUY
    maker_account = state.accounts[maker.account]
    given = maker_account.available
    taken = taker.account.available
    if buying:
        freed = base
        maker_account.held[base_asset] -= base
        given[quote_asset] += quote - maker_fee
        taken[base_asset] += base
        taken[quote_asset] -= quote + taker_fee
    else:
        freed = maker.held_units
        if maker_left:
            freed -= book.hold_units(_BUY, price, maker_left, maker.hold_ppm)
        assert freed >= quote + maker_fee, "a hold must cover its fills"
        maker_account.held[quote_asset] -= freed
        given[quote_asset] += freed - quote - maker_fee
        given[base_asset] += base
        taken[base_asset] -= base
        taken[quote_asset] += quote - taker_fee
    revenue = state.accounts.revenue
    assert revenue is not None and maker_fee + taker_fee >= 0
    revenue.available[quote_asset] += maker_fee + taker_fee
    taker.remaining -= lots
    maker.remaining_lots = maker_left
    maker.held_units -= freed
    if not maker_left:
        del maker_account.orders[maker.id]
        taker.opposite.remove(price if buying else -price, maker.id)
    book.last_price_ticks = price
    state.fills += 1
    events.append(
        Filled(
            state.fills,
            book.instrument,
            price,
            lots,
            base,
            quote,
            taker.side,
            maker.id,
            taker.order_id,
            maker.account,
            taker.account.id,
            maker_fee,
            taker_fee,
            maker_left,
            taker.remaining,
        )
    )


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

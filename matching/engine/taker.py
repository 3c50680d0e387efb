"""The incoming order while it takes, as those see it who find its makers and who pay it.

What must not live here: whom it meets (taking.py), what a fill costs (fills.py).
"""

from matching.accounts import Account
from matching.book import Book
from matching.protocol.events import MarketInterrupted
from matching.protocol.units import (
    PARTS_PER_MILLION,
    CancelReason,
    SelfTradePrevention,
    Side,
)

_BUY = Side.BUY


class Taker:
    """An incoming order while it takes; `reason` is set when it must not rest what is left.

    `by_cash` marks one that is bounded by the cash available, and by `cash_units` if it has such,
    besides its price. `interrupted` tells of a price that a volatility bound kept it from: bounds
    and reference are those of its arrival. `traded_at` is the price of its last fill.
    """

    __slots__ = (
        "account",
        "book",
        "by_cash",
        "cash_units",
        "far_key",
        "interrupted",
        "midpoints",
        "near_key",
        "opposite",
        "order_id",
        "prevention",
        "reason",
        "reference_ticks",
        "remaining",
        "side",
        "taker_ppm",
        "traded_at",
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
        cash_units: int | None = None,
    ) -> None:
        self.order_id = order_id
        self.account = account
        self.book = book
        self.side = side
        if side is _BUY:
            self.opposite, self.midpoints = book.asks, book.midpoint_asks
            self.near_key, self.far_key = book.bound_low, book.bound_high
        else:
            self.opposite, self.midpoints = book.bids, book.midpoint_bids
            self.near_key, self.far_key = -book.bound_high, -book.bound_low
        self.reference_ticks = book.reference_ticks
        self.remaining = lots
        self.prevention = prevention
        self.by_cash = by_cash
        self.cash_units = cash_units
        self.taker_ppm = book.fees[account.holder.tier][1]
        self.reason: CancelReason | None = None
        self.interrupted: MarketInterrupted | None = None
        self.traded_at = 0

    def affordable_lots(self, price_ticks: int) -> int:
        """Return the most lots that the cash covers at a price."""
        book = self.book
        cash = self.account.available.get(book.quote_asset, 0)
        if self.cash_units is not None:
            cash = min(cash, self.cash_units)
        return affordable_lots(price_ticks * book.quote_units_per_tick_lot, cash, self.taker_ppm)

    def end_for_cash(self) -> None:
        """End for want of cash: of what was to be spent, or of what the account has."""
        available = self.account.available.get(self.book.quote_asset, 0)
        spent = self.cash_units is not None and self.cash_units <= available
        self.reason = CancelReason.CASH_SPENT if spent else CancelReason.INSUFFICIENT


def affordable_lots(units_per_lot: int, cash_units: int, taker_ppm: int) -> int:
    """Return the most lots whose price and floored taker fee the cash covers.

    n + floor(n r / 10^6) <= c is n (10^6 + r) <= (c + 1) 10^6 - 1 for integers.
    """
    whole = PARTS_PER_MILLION
    return ((cash_units + 1) * whole - 1) // (whole + taker_ppm) // units_per_lot

"""Bounds and enumerations that every command and event is written in.

Prices are whole ticks, quantities whole lots, amounts whole base units of an asset; all fit in 63
bits.
"""

from bisect import bisect_right
from enum import IntEnum, IntFlag

UNITS_MAX = 2**63 - 1
PRICE_TICKS_MAX = 2**40
QUANTITY_LOTS_MAX = 2**40
TICK_BANDS_MAX = 32
CLIENT_ORDER_ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,36}$"
REFERENCE_PATTERN = r"^[A-Za-z0-9_.:/-]{1,96}$"
CHARGES_MAX = 4
PARTS_PER_MILLION = 1_000_000


class Side(IntEnum):
    BUY = 1
    SELL = 2


class OrderKind(IntEnum):
    LIMIT = 1
    MARKET = 2


class TimeInForce(IntEnum):
    """GTC rests; IOC cancels what did not trade at once; FOK trades whole or not at all."""

    GTC = 1
    IOC = 2
    FOK = 3


class SelfTradePrevention(IntEnum):
    """What happens when an order meets one of the same holder; chosen by the incoming order.

    REDUCE_BOTH takes the smaller open quantity off both orders without a fill.
    """

    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3
    REDUCE_BOTH = 4


class Phase(IntEnum):
    """CLOSED refuses everything, HALTED takes cancels only, CONTINUOUS matches."""

    CLOSED = 1
    CONTINUOUS = 2
    HALTED = 3


class AccountKind(IntEnum):
    """MEMBER accounts trade; the one REVENUE account receives fees and cannot order."""

    MEMBER = 1
    REVENUE = 2


class CancelReason(IntEnum):
    REQUESTED = 1
    IMMEDIATE = 2
    UNFILLABLE = 3
    SELF_TRADE = 4
    RESTRICTED = 5
    INSUFFICIENT = 6


class Medium(IntEnum):
    """By which door an order came; kept with the order for surveillance."""

    REST = 1
    WEBSOCKET = 2
    PARTNER = 3
    CONSOLE = 4


class InstrumentClass(IntFlag):
    """Eligibility classes: a holder trades an instrument only with the instrument's bit set."""

    METAL = 1
    SECURITY = 2


def price_step_ticks(tick_table: tuple[tuple[int, int], ...], price_ticks: int) -> int:
    """Return the step that a price must be a multiple of; 1 without a table."""
    if not tick_table:
        return 1
    return tick_table[bisect_right(tick_table, price_ticks, key=lambda band: band[0]) - 1][1]

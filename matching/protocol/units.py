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
TAG_PATTERN = r"^[A-Za-z0-9_.:-]{0,16}$"
CHARGES_MAX = 4
# An iceberg shows a hundredth at least, so that one taker meets it a hundred times at most.
ICEBERG_PARTS_MAX = 100
PARTS_PER_MILLION = 1_000_000
FEE_TIERS_MAX = 16
CONSTITUENTS_MAX = 1_024
BREAKER_STAGES_MAX = 8
SPLIT_MAX = 1_000
HEARTBEAT_NS_MAX = 86_400 * 10**9
INDICATIVE_NS = 10**9
BREAKER_HOLD_NS_MIN = 10**9
DURATION_NS_MAX = 30 * 86_400 * 10**9
# Beyond the times that a clock gives before the year 2116, and below 63 bits with any duration.
TIME_NS_MAX = 2**62


class Side(IntEnum):
    BUY = 1
    SELL = 2


class OrderKind(IntEnum):
    """What an order does; the kinds of KRX by its names, the others as FIX has them.

    STOP, STOP_LIMIT and TRAILING_STOP wait for the last price. CONDITIONAL_LIMIT turns market when
    the closing auction begins. BEST_LIMIT takes the other side's best price as its limit,
    TOP_PRIORITY_LIMIT its own side's. MIDPOINT rests unseen and trades in the middle of the best
    bid and ask, within its limit.
    """

    LIMIT = 1
    MARKET = 2
    STOP = 3
    STOP_LIMIT = 4
    TRAILING_STOP = 5
    CONDITIONAL_LIMIT = 6
    BEST_LIMIT = 7
    TOP_PRIORITY_LIMIT = 8
    MIDPOINT = 9


class TimeInForce(IntEnum):
    """How long an order lives.

    GTC until cancelled; IOC cancels what did not trade at once; FOK trades whole or not at all; DAY
    to the end of the trade date or session; GTD to its `expires_at_ns`; AT_THE_OPEN and
    AT_THE_CLOSE for the opening or closing auction alone.
    """

    GTC = 1
    IOC = 2
    FOK = 3
    DAY = 4
    GTD = 5
    AT_THE_OPEN = 6
    AT_THE_CLOSE = 7


class SelfTradePrevention(IntEnum):
    """What happens when an order meets one of the same holder; chosen by the incoming order.

    REDUCE_BOTH takes the smaller open quantity off both orders without a fill.
    """

    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3
    REDUCE_BOTH = 4


class Phase(IntEnum):
    """CLOSED refuses everything, HALTED takes cancels only.

    The continuous phases match at once; CONTINUOUS_24H is that of a market without auctions at open
    and close. The auctions collect orders and trade at one price when they end.
    """

    CLOSED = 1
    CONTINUOUS = 2
    HALTED = 3
    OPENING_AUCTION = 4
    VOLATILITY_AUCTION = 5
    CLOSING_AUCTION = 6
    CONTINUOUS_24H = 7


class Allocation(IntEnum):
    """Who is served first at one price: the oldest, or all by their share of the quantity."""

    PRICE_TIME = 1
    PRO_RATA = 2


class AccountKind(IntEnum):
    """MEMBER accounts trade; the one REVENUE account receives fees and cannot order.

    A MIRROR account stands for a partner abroad or a provider of currency: it cannot order, and
    external fills and conversions go against its funds.
    """

    MEMBER = 1
    REVENUE = 2
    MIRROR = 3


class CancelReason(IntEnum):
    """Why an order ended with something open.

    INSUFFICIENT: its account could not pay for one lot more. CASH_SPENT: what was left of its
    amount of cash bought no lot more. INTERRUPTED: its next fill would have been beyond the
    volatility bounds. UNCROSSED: the auction it was for left it over. PAIRED: the other order of
    its pair traded, was triggered or ended. DISCONNECTED: its account's heartbeat failed. KILLED:
    a kill switch. ROUTED: what was open went out to a partner exchange.
    """

    REQUESTED = 1
    IMMEDIATE = 2
    EXPIRED = 3
    SELF_TRADE = 4
    RESTRICTED = 5
    INSUFFICIENT = 6
    CASH_SPENT = 7
    INTERRUPTED = 8
    UNCROSSED = 9
    PAIRED = 10
    DISCONNECTED = 11
    KILLED = 12
    ROUTED = 13


class Interruption(IntEnum):
    """Which bound a price would have passed: that around the last auction's or the last price."""

    STATIC = 1
    DYNAMIC = 2


class FillKind(IntEnum):
    """How a fill came about.

    EXTERNAL fills were made at a partner exchange, COMPENSATING ones undo an error trade; neither
    says anything about the price of this market.
    """

    CONTINUOUS = 1
    AUCTION = 2
    MIDPOINT = 3
    EXTERNAL = 4
    COMPENSATING = 5


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

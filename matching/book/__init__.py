"""The reference book: open orders of one instrument in price-time priority, and its rules.

What lives here is order and nothing else. What must not: balances, eligibility, events.
"""

from matching.book.rules import volatility_bounds
from matching.book.sides import MARKET_KEY, NO_LEVEL, BookSide, Taken
from matching.book.whole import AUCTION_PHASES, MATCHING_PHASES, Book

__all__ = [
    "AUCTION_PHASES",
    "MARKET_KEY",
    "MATCHING_PHASES",
    "NO_LEVEL",
    "Book",
    "BookSide",
    "Taken",
    "volatility_bounds",
]

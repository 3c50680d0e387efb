"""The price of a call auction, as a pure function of what is willing to trade.

The largest executable quantity, then the smallest surplus, then market pressure, then the reference
price: as Xetra (T7 Market Model Equities, "Price determination in auctions") and Euronext (Trading
Manual, "Theoretical opening price") have it; KRX's single price shares the first two.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple


class Uncrossing(NamedTuple):
    """Price in ticks, executable lots, and what is left at it: to buy above 0, to sell below."""

    price_ticks: int
    quantity_lots: int
    surplus_lots: int


NO_UNCROSSING = Uncrossing(0, 0, 0)


class _Curve:
    """How many lots one side trades at each price, from its (price, lots) pairs in any order."""

    def __init__(self, quotes: Iterable[tuple[int, int]], at_any_price: int) -> None:
        ordered = sorted(quotes)
        self.prices = [price for price, _ in ordered]
        self._sums = [0, *accumulate(lots for _, lots in ordered)]
        self.at_any_price = at_any_price

    def at_or_above(self, price: int) -> int:
        below = self._sums[bisect_left(self.prices, price)]
        return self.at_any_price + self._sums[-1] - below

    def at_or_below(self, price: int) -> int:
        return self.at_any_price + self._sums[bisect_right(self.prices, price)]


def uncrossing(
    bids: Iterable[tuple[int, int]],
    asks: Iterable[tuple[int, int]],
    at_any_price: tuple[int, int],
    reference_ticks: int,
    step_down: Callable[[int], int],
) -> Uncrossing:
    """Return the price at which these (price, lots) of both sides trade; zeros when none do.

    `at_any_price` are the lots of market orders to buy and to sell. `step_down` rounds a price down
    to its step: the reference may lie between two. A reference of 0 is none.
    """
    buying, selling = _Curve(bids, at_any_price[0]), _Curve(asks, at_any_price[1])
    limits = sorted({*buying.prices, *selling.prices})
    if not limits and reference_ticks:
        limits = [step_down(reference_ticks)]
    found = [
        Uncrossing(price, min(wanted, offered), wanted - offered)
        for price in limits
        for wanted, offered in [(buying.at_or_above(price), selling.at_or_below(price))]
    ]
    quantity = max((each.quantity_lots for each in found), default=0)
    if not quantity:
        return NO_UNCROSSING
    found = [each for each in found if each.quantity_lots == quantity]
    surplus = min(abs(each.surplus_lots) for each in found)
    found = [each for each in found if abs(each.surplus_lots) == surplus]
    price = _pressed(found) or _nearest(found, reference_ticks, step_down)
    left = buying.at_or_above(price) - selling.at_or_below(price)
    return Uncrossing(price, quantity, left)


def _pressed(found: Sequence[Uncrossing]) -> int:
    """Return the price that market pressure decides, 0 when it pulls to neither side."""
    if all(each.surplus_lots > 0 for each in found):
        return found[-1].price_ticks
    if all(each.surplus_lots < 0 for each in found):
        return found[0].price_ticks
    return 0


def _nearest(
    found: Sequence[Uncrossing], reference_ticks: int, step_down: Callable[[int], int]
) -> int:
    """Return the price between the lowest and the highest that is nearest to the reference."""
    low, high = found[0].price_ticks, found[-1].price_ticks
    if reference_ticks >= high:
        return high
    return low if reference_ticks <= low else max(step_down(reference_ticks), low)

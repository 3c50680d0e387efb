"""The end of a call auction: all that can trade at one price does, at that price."""

from typing import NamedTuple

from matching.book import MARKET_KEY, Book, BookSide
from matching.engine.fills import fill_resting
from matching.engine.state import State
from matching.engine.taking import keep_apart
from matching.order import Order
from matching.protocol.events import AnyEvent, AuctionUncrossed
from matching.protocol.units import FillKind


class Pair(NamedTuple):
    """A buy and a sell that trade so many lots with each other."""

    buy: Order
    sell: Order
    lots: int


def uncross(state: State, book: Book, events: list[AnyEvent], *, always_told: bool) -> None:
    """Trade at the auction's price; it becomes the last price and the static reference.

    Self-trade prevention comes first: as long as it takes orders out, price and pairs are found
    anew, so that all trade at one price. Each time takes at least one order out or down.
    """
    while (found := book.uncrossing()).quantity_lots:
        pairs, prevented = _pairs(state, book, found.price_ticks, events)
        if not prevented:
            break
    price, quantity, _ = found
    if not quantity:
        if always_told:
            events.append(AuctionUncrossed(book.instrument, 0, 0))
        return
    assert quantity == sum(pair.lots for pair in pairs), "the pairs make up the quantity"
    events.append(AuctionUncrossed(book.instrument, price, quantity))
    for pair in pairs:
        fill_resting(state, book, *pair[:2], price, pair.lots, FillKind.AUCTION, events)
    book.static_ticks = book.last_price_ticks = price
    state.refer(book, price)


def _pairs(state: State, book: Book, price: int, events: list[AnyEvent]) -> tuple[list[Pair], bool]:
    """Pair the orders that trade at a price, in priority; tell whether any was prevented."""
    pairs: list[Pair] = []
    prevented = False
    buys, sells = _willing(book.bids, -price), _willing(book.asks, price)
    left = {order.id: order.open_lots for order in buys + sells}
    buying, selling = iter(buys), iter(sells)
    buy, sell = next(buying, None), next(selling, None)
    while buy is not None and sell is not None:
        if buy.holder == sell.holder:
            _prevent(state, buy, sell, left, events)
            prevented = True
        else:
            lots = min(left[buy.id], left[sell.id])
            pairs.append(Pair(buy, sell, lots))
            left[buy.id] -= lots
            left[sell.id] -= lots
        while buy is not None and not left[buy.id]:
            buy = next(buying, None)
        while sell is not None and not left[sell.id]:
            sell = next(selling, None)
    return pairs, prevented


def _willing(side: BookSide, limit_key: int) -> list[Order]:
    """Return the orders that trade at a key, in priority: market orders, best price, oldest."""
    return [
        order
        for key in side.keys.irange(minimum=MARKET_KEY, maximum=limit_key)
        for order in side.levels[key].values()
    ]


def _prevent(
    state: State, buy: Order, sell: Order, left: dict[int, int], events: list[AnyEvent]
) -> None:
    """Keep two orders of one holder apart; `left` is what each can still pair."""
    lots = min(left[buy.id], left[sell.id])
    ended = keep_apart(state, buy, sell, lots, events)
    for order in ended:
        left[order.id] = 0
    if not ended:
        left[buy.id] -= lots
        left[sell.id] -= lots

"""Books and tickers kept from events are the engine's own, whenever one begins to follow."""

import pytest

from exchange.marketdata.books import Books
from exchange.marketdata.tickers import MINUTE_NS, WINDOW_MINUTES, Window
from matching.protocol.events import Filled
from matching.protocol.queries import Book, GetBook, GetOpenOrders, OpenOrders
from matching.protocol.units import Side
from tests.exchange.flows import Flow


@pytest.mark.parametrize("seed", range(3))
def test_levels_are_the_engines_after_every_command(seed: int) -> None:
    flow = Flow(seed)
    books = Books((), flow.engine.sequence)
    for _ in range(1_000):
        before = len(flow.applied)
        flow.run(1)
        for applied in flow.applied[before:]:
            books.apply(applied)
        for instrument in (1, 2):
            reply = flow.engine.answer(GetBook(instrument))
            assert isinstance(reply, Book)
            found = tuple(books.levels(instrument, side, 1_000) for side in (Side.BUY, Side.SELL))
            assert found == (list(reply.bids), list(reply.asks))


def test_levels_are_the_engines_when_following_begins_in_the_middle() -> None:
    flow = Flow(9).run(500)
    resting = flow.engine.answer(GetOpenOrders())
    assert isinstance(resting, OpenOrders)
    books = Books(resting.orders, resting.sequence)
    flow.run(500)
    for applied in flow.applied:  # from the very beginning: what is known already changes nothing
        books.apply(applied)
    reply = flow.engine.answer(GetBook(1, 5))
    assert isinstance(reply, Book)
    assert books.levels(1, Side.BUY, 5) == list(reply.bids)
    assert books.levels(1, Side.SELL, 5) == list(reply.asks)


def fill(price: int, lots: int) -> Filled:
    return Filled(1, 1, price, lots, lots, price * lots, Side.BUY, 1, 2, 3, 4, 0, 0, 0, 0)


def test_ticker_forgets_what_is_a_day_old_but_the_last_price() -> None:
    window = Window()
    for minute, (price, lots) in enumerate([(100, 1), (90, 2), (120, 3)]):
        window.add(fill(price, lots), minute * MINUTE_NS)
    ticker = window.ticker()
    assert (ticker.first, ticker.high, ticker.low, ticker.last) == (100, 120, 90, 120)
    assert (ticker.volume_lots, ticker.quote_units, ticker.trades) == (6, 640, 3)
    assert window.drop_before((WINDOW_MINUTES + 1) * MINUTE_NS) == [0, 1]
    assert window.ticker().first == 120
    window.drop_before(2 * WINDOW_MINUTES * MINUTE_NS)
    assert window.ticker().last == 120 and window.ticker().trades == 0

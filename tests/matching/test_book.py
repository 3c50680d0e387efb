"""The book as a structure: it equals a naive one under any adds and removals."""

from hypothesis import given
from hypothesis import strategies as st

from matching.book import NO_LEVEL, Book
from matching.order import Order
from matching.protocol.events import OrderAccepted
from matching.protocol.units import Medium, SelfTradePrevention, Side
from tests.matching.market import BUY, GTC, LIMIT, SELL, gold


def _order(book: Book, order_id: int, side: Side, price: int) -> Order:
    accepted = OrderAccepted(
        order_id, 1, f"o{order_id}", 1, side, LIMIT, GTC, price, 1, False,
        SelfTradePrevention.CANCEL_NEWEST, Medium.REST,
    )  # fmt: skip
    held = book.hold_units(side, price, 1, 0)
    return Order(order_id, 1, 1, side, price, 1, held, 0, 0, accepted)


steps = st.lists(
    st.tuples(st.booleans(), st.sampled_from([BUY, SELL]), st.integers(0, 9), st.integers(0, 99)),
    max_size=80,
)


@given(steps)
def test_book_equals_a_sorted_list(given_steps: list[tuple[bool, Side, int, int]]) -> None:
    book = Book(gold())
    naive: list[Order] = []
    for order_id, (adds, side, step, pick) in enumerate(given_steps, 1):
        if adds or not naive:
            order = _order(book, order_id, side, 90 + step if side is BUY else 100 + step)
            book.add(order)
            naive.append(order)
        else:
            book.remove(naive.pop(pick % len(naive)))
        book._check()
        bids = sorted((o for o in naive if o.side is BUY), key=lambda o: (-o.price_ticks, o.id))
        asks = sorted((o for o in naive if o.side is SELL), key=lambda o: (o.price_ticks, o.id))
        assert book.bids.orders() == bids
        assert book.asks.orders() == asks
        assert book.bids.best == (-bids[0].price_ticks if bids else NO_LEVEL)
        assert book.asks.best == (asks[0].price_ticks if asks else NO_LEVEL)
        assert book.crosses(BUY, 100) == bool(asks and asks[0].price_ticks <= 100)
        assert book.crosses(SELL, 99) == bool(bids and bids[0].price_ticks >= 99)

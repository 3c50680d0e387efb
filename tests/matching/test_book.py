"""The book as a structure: it equals a naive one under any adds and removals."""

import msgspec
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


takes = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=40
)


@given(takes, st.integers(95, 110), st.integers(1, 150))
def test_taking_equals_walking_a_sorted_list(
    resting: list[tuple[int, int, int]], limit: int, wanted: int
) -> None:
    """Holder 3 is the taker's own: it ends the walk and is neither taken nor passed over."""
    book = Book(gold())
    naive: list[tuple[int, int, int, int]] = []
    for order_id, (step, lots, holder) in enumerate(resting, 1):
        order = msgspec.structs.replace(_order(book, order_id, SELL, 100 + step), holder=holder)
        order.visible_lots = lots
        book.add(order)
        naive.append((100 + step, order_id, lots, holder))
    expected, own = [], None
    for price, order_id, lots, holder in sorted(naive):
        if not wanted or price > limit:
            break
        if holder == 3:
            own = order_id
            break
        taken = min(lots, wanted)
        expected.append((order_id, taken, lots - taken))
        wanted -= taken
    total = sum(lots for _, lots, _ in expected) + wanted
    given_back, met = book.asks.take(limit, total, 3)
    assert [(order.id, lots, left) for order, lots, left, _ in given_back] == expected
    assert (met.id if met else None) == own
    left_over = {order_id: left for order_id, _, left in expected}
    book.asks._check()
    assert {order.id: order.visible_lots for order in book.asks.orders()} == {
        order_id: left_over.get(order_id, lots)
        for _, order_id, lots, _ in naive
        if left_over.get(order_id, lots)
    }

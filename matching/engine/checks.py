"""What must hold after every command: the invariants of the whole state, for tests and replays."""

from matching.accounts import Account
from matching.book import Book
from matching.engine.state import State, Timer, TimerKind
from matching.order import Order, Place
from matching.protocol.units import Side


def check(state: State) -> None:
    """Assert every invariant: conservation, exact holds, books whole, indexes in agreement."""
    state.accounts._check()
    resting: dict[int, Order] = {}
    for book in state.books.values():
        book._check()
        resting |= {order.id: order for order in book.orders()}
    owned: dict[int, Order] = {}
    holds: dict[tuple[int, int], int] = {}
    for account in state.accounts.values():
        for order_id, order in account.orders.items():
            book = state.books[order.accepted.instrument]
            asset = book.quote_asset if order.side is Side.BUY else book.base_asset
            _check_order(account, book, order)
            key = account.id, asset
            holds[key] = holds.get(key, 0) + order.held_units
            assert order.id == order_id
        owned |= account.orders
    for route in state.accounts.routes.values():
        book = state.books[route.instrument]
        key = route.account, book.quote_asset if route.side is Side.BUY else book.base_asset
        holds[key] = holds.get(key, 0) + route.held_units
        assert route.open_lots > 0
    held = {
        (account.id, asset): units
        for account in state.accounts.values()
        for asset, units in account.held.items()
        if units
    }
    holds = {key: units for key, units in holds.items() if units}
    assert held == holds, f"accounts hold {held}, their orders and routes {holds}"
    assert owned == resting, "books and accounts disagree about the open orders"
    assert all(resting[order_id] is order for order_id, order in owned.items())
    _check_timers(state)


def _check_order(account: Account, book: Book, order: Order) -> None:
    assert account.holder.allowed & book.class_bit, f"order {order.id} is forbidden"
    price, lots = order.price_ticks, order.open_lots
    held = book.hold_units(order.side, price, lots, order.hold_ppm)
    if order.pair:
        other = account.orders[order.pair]
        assert other.pair == order.id, f"order {order.id} has a pair that knows another"
        if order.place is Place.STOP:
            held = max(held - other.held_units, 0)
    assert order.held_units == held, f"order {order.id} holds {order.held_units}, not {held}"


def _check_timers(state: State) -> None:
    expected: list[Timer] = []
    for number, book in state.books.items():
        expected.append((book.ends_at_ns, TimerKind.PHASE, number, 0))
        expected.append((book.indicative_due_ns, TimerKind.INDICATIVE, number, 0))
    for account in state.accounts.values():
        expected.append((account.heartbeat_due_ns, TimerKind.HEARTBEAT, account.id, 0))
        expected += [
            (order.special.expires_at_ns, TimerKind.EXPIRY, order.id, account.id)
            for order in account.orders.values()
            if order.special is not None
        ]
    for number, segment in state.segments.items():
        due_ns = segment.met_at_ns + segment.definition.hold_ns if segment.met_at_ns else 0
        expected.append((due_ns, TimerKind.BREAKER, number, 0))
        index = sum(w * state.books[i].reference_ticks for i, w in segment.weights.items())
        assert segment.index == index, f"segment {number} has index {segment.index}"
        assert segment.met() == bool(segment.met_at_ns), f"segment {number} is not watched"
    expected = sorted(timer for timer in expected if timer[0])
    assert list(state.timers) == expected, f"timers {state.timers}, expected {expected}"

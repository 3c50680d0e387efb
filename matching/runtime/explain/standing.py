"""Where an order stands in its book and why it does not trade: asked of the engine then."""

from matching.engine import Engine
from matching.protocol.queries import (
    Book,
    GetBook,
    GetInstruments,
    GetOpenOrders,
    Instruments,
    OpenOrder,
    OpenOrders,
)
from matching.protocol.units import OrderKind, Side
from matching.runtime.explain.life import Ahead, Life
from matching.runtime.explain.sentences import lots, sentence


def phase_of(engine: Engine, instrument: int) -> str:
    """Return the phase of an instrument, "" when it is not defined."""
    reply = engine.answer(GetInstruments())
    assert isinstance(reply, Instruments)
    phases = {each.definition.instrument: each.phase.name for each in reply.instruments}
    return phases.get(instrument, "")


def best(engine: Engine, instrument: int) -> tuple[int, int]:
    """Return best bid and best ask, 0 where there is none."""
    book = engine.answer(GetBook(instrument, 1))
    assert isinstance(book, Book)
    return (book.bids[0][0] if book.bids else 0), (book.asks[0][0] if book.asks else 0)


def ahead_of(engine: Engine, life: Life) -> list[Ahead] | None:
    """Return the orders of its side that trade before it; None when it is not in the book."""
    own_side = [each for each in _book(engine, life.instrument) if each.side is life.side]
    own = next((each for each in own_side if each.order_id == life.order_id), None)
    if own is None or _queue(own) == "parked":
        return None
    queue = [each for each in own_side if _queue(each) == _queue(own)]
    return [
        Ahead(each.order_id, each.account, each.price_ticks, each.remaining_lots)
        for each in queue[: queue.index(own)]
    ]


def own_opposite(engine: Engine, life: Life) -> int:
    """Return the first order of the same holder on the other side, 0 when there is none."""
    accounts = engine.image().accounts
    (holder,) = (each.holder for each in accounts if each.account == life.account)
    own = {each.account for each in accounts if each.holder == holder}
    for each in _book(engine, life.instrument):
        if each.side is not life.side and each.account in own and _queue(each) != "parked":
            return each.order_id
    return 0


def _book(engine: Engine, instrument: int) -> list[OpenOrder]:
    """Return an instrument's open orders in the image's order: prices, and who came first."""
    reply = engine.answer(GetOpenOrders())
    assert isinstance(reply, OpenOrders)
    known = {each.order_id: each for each in reply.orders}
    pages = engine.image().books
    (page,) = (each for each in pages if each.definition.instrument == instrument)
    return [known[order.id] for order in page.orders]


def _queue(order: OpenOrder) -> str:
    """Return where an order waits to trade."""
    if order.stop_price_ticks:
        return "parked"
    return "unseen" if order.kind is OrderKind.MIDPOINT else "seen"


def standing(engine: Engine, life: Life, ahead: list[Ahead] | None) -> str:
    """Return where the order stands and why it does not trade, as a sentence."""
    return sentence(*_standing(engine, life, ahead))


def _standing(engine: Engine, life: Life, ahead: list[Ahead] | None) -> list[str]:
    if life.parked:
        return [f"waits with {lots(life.remaining_lots)} outside the book"]
    phase = phase_of(engine, life.instrument)
    if phase in ("CLOSED", "HALTED"):
        return [
            f"waits with {lots(life.remaining_lots)}: nothing trades while the phase is {phase}"
        ]
    if phase.endswith("AUCTION"):
        return [f"waits with {lots(life.remaining_lots)} for the auction's end"]
    unseen = "unseen " if life.asked["kind"] == OrderKind.MIDPOINT.name else ""
    place = f"rests {unseen}with {lots(life.remaining_lots)}"
    if ahead is not None:
        level = [each for each in ahead if each.price_ticks == life.price_ticks]
        better = ahead[: len(ahead) - len(level)]
        parts = [f"{_lots(level)} at {life.price_ticks}"] if level else []
        parts += [f"{_lots(better)} at better prices"] if better else []
        place += f" behind {' and '.join(parts)}" if parts else ", first in the queue"
    return [place, opposite(engine, life)]


def _lots(orders: list[Ahead]) -> str:
    count = len(orders)
    return f"{lots(sum(each.lots for each in orders))} of {count} order{'s' if count > 1 else ''}"


def opposite(engine: Engine, life: Life) -> str:
    """Return how far the other side's best price is from the order's limit."""
    bid, ask = best(engine, life.instrument)
    name, found = ("ask", ask) if life.side is Side.BUY else ("bid", bid)
    if not found:
        return f"there is no {name}"
    if not life.price_ticks:
        return f"the best {name} is {found}"
    meets = found <= life.price_ticks if life.side is Side.BUY else found >= life.price_ticks
    where = "within" if meets else "beyond"
    return f"the best {name} is {found}, {where} its limit {life.price_ticks}"

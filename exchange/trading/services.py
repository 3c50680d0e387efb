"""Placing, amending and cancelling orders: each is one command to the engine.

Nothing is written here: records come from the engine's events (projector.py). What must not live
here: HTTP, decimal strings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from exchange.api.errors import Problem
from exchange.api.gathering import Gathered, attempt
from exchange.api.measures import ack_observe
from exchange.trading import selectors
from exchange.trading.projection import OrderRecord, order_accepted, order_change, orders_of
from matching.client import engine_of_loop
from matching.protocol.codec import Answer
from matching.protocol.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelOrder,
    PlaceOrder,
    SetHeartbeat,
    SetKillSwitch,
)
from matching.protocol.events import (
    HeartbeatSet,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderRepeated,
    Refused,
)
from matching.protocol.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Placed:
    """An order after its placing; `created` is false when it had been placed before."""

    order: OrderRecord
    created: bool


async def orders_place(commands: Sequence[PlaceOrder]) -> list[Placed | OrderRepeated | Exception]:
    """Place orders, in order: each is new, or stands under its client order id already.

    The engine knows an id while its order is open, and for the trade date and the one after it. The
    order that it repeats may not be written down yet: `order_repeated` waits for it. What cannot be
    placed is a `Problem` with the engine's refusal. Raises `EngineUnavailable`.
    """
    return [attempt(_placed, answer) for answer in await _send_many(commands)]


async def order_repeated(account: int, repeated: OrderRepeated) -> Placed:
    """Return the order that stands under a client order id already. Raises `Problem`."""
    return Placed(await selectors.order_get(account, repeated.order_id), created=False)


def _placed(answer: Answer) -> Placed | OrderRepeated:
    first = _accepted(answer).events[0]
    if isinstance(first, OrderRepeated):
        return first
    assert isinstance(first, OrderAccepted), f"unexpected answer {first}"
    order = order_accepted(first, answer.time_ns)
    _follow(order, answer)
    return Placed(order, created=True)


def _follow(order: OrderRecord, answer: Answer) -> None:
    for event in answer.events[1:]:
        if order.order_id in orders_of(event):
            order_change(order, event, answer.sequence, answer.time_ns)


async def pair_place(stop: PlaceOrder, limit: PlaceOrder) -> tuple[Placed, Placed]:
    """Place a stop order and the limit order that is its pair; both are placed, or neither.

    Raises `Problem` with the engine's refusal of either: a stop order that this call placed is
    cancelled then, one that stood before under its client order id is not. Raises
    `EngineUnavailable`.
    """
    # One after the other: sent together, the limit order could pair with an older stop order when
    # this one is refused for having its client order id.
    waiting = _placed(await _send_gathered(stop))
    second = await _send_gathered(limit)
    try:
        paired = _placed(second)
    except Problem:
        if isinstance(waiting, Placed):
            # It may have been triggered meanwhile; then there is nothing to cancel any more.
            await _send_gathered(CancelOrder(stop.account, waiting.order.order_id))
        raise
    if isinstance(waiting, Placed):
        _follow(waiting.order, second)
    return await _standing(stop.account, waiting), await _standing(limit.account, paired)


async def _standing(account: int, placed: Placed | OrderRepeated) -> Placed:
    return placed if isinstance(placed, Placed) else await order_repeated(account, placed)


async def order_amend(command: AmendOrder) -> tuple[OrderRecord, OrderAmended]:
    """Amend an open order to a new price, open quantity or stop price; it may trade at once.

    Unlike a cancel it waits for the projector: ticks and lots go by the instrument in the order's
    record, and the answer is that record. Who cannot wait cancels.

    Returns its record with the amendment written, which the order as read before may not tell:
    it may have traded since. Raises `Problem` with the engine's refusal, or projection_behind when
    the order is amended and the record late; `EngineUnavailable`.
    """
    answer = await _send(command)
    amended = next(event for event in answer.events if isinstance(event, OrderAmended))
    await selectors.projection_await(answer.sequence)
    return await selectors.order_get(command.account, command.order_id), amended


async def order_cancel(
    *, account: int, order_id: int = 0, client_order_id: str = ""
) -> tuple[OrderCancelled, int]:
    """Cancel a resting order by either id; return the event and its time in ns.

    The engine knows both, so that no cancel waits for the projector. Raises `Problem` with the
    engine's refusal, `EngineUnavailable`.
    """
    answer = await _send(CancelOrder(account, order_id, client_order_id))
    cancelled = next(event for event in answer.events if isinstance(event, OrderCancelled))
    return cancelled, answer.time_ns


async def orders_cancel(
    *, account: int, instrument: int = 0, side: int = 0, tag: str = ""
) -> list[int]:
    """Cancel an account's open orders, all or of one instrument, side, tag; return their ids."""
    return _cancelled(await _send(CancelAll(account, instrument, side, tag)))


async def heartbeat_set(*, account: int, timeout_ns: int) -> int:
    """Have all orders of an account cancelled unless this comes again in time; 0 ends it.

    Return when they are due to be cancelled, 0 when the heartbeat ended. Raises `Problem`,
    `EngineUnavailable`.
    """
    answer = await _send(SetHeartbeat(account, timeout_ns))
    event = next(event for event in answer.events if isinstance(event, HeartbeatSet))
    return event.due_ns


async def kill_switch_engage(*, account: int) -> list[int]:
    """Stop an account at its own wish, again changes nothing; return the orders cancelled.

    Only officers release it (`venue.set_kill_switch`). Raises `Problem`, `EngineUnavailable`.
    """
    answer = await _send_gathered(SetKillSwitch(account, 0, engaged=True))
    first = answer.events[0]
    if isinstance(first, Refused) and first.code == Refusal.UNCHANGED:
        return []
    return _cancelled(_accepted(answer))


def _cancelled(answer: Answer) -> list[int]:
    return [event.order_id for event in answer.events if isinstance(event, OrderCancelled)]


async def _send(command: AnyCommand) -> Answer:
    return _accepted(await _send_gathered(command))


async def _send_many(commands: Sequence[AnyCommand]) -> list[Answer]:
    sent_at = perf_counter()
    answers = await engine_of_loop().send_many(commands)
    seconds = perf_counter() - sent_at
    for command in commands:
        ack_observe(command, seconds)
    return answers


_send_gathered = Gathered[AnyCommand, Answer](_send_many)


def _accepted(answer: Answer) -> Answer:
    """Return an answer that is no refusal. Raises `Problem`."""
    first = answer.events[0]
    if isinstance(first, Refused):
        raise Problem(first.code, first.detail)
    return answer

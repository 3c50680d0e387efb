"""Reads of orders, fills and the projector's position."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import fields

from django.db import connection

from exchange.api.errors import DoorCode, Problem
from exchange.api.gathering import Gathered, in_thread
from exchange.trading.models import (
    LIVE,
    BatchProposal,
    BatchProposalState,
    Fill,
    KillSwitch,
    Movement,
    Order,
    OrderState,
    ProjectorPosition,
)
from exchange.trading.projection import FillRecord, OrderRecord
from matching.client import EngineUnavailable, engine_of_loop
from matching.protocol.queries import GetOpenOrders, GetStatus, OpenOrders, Status
from matching.protocol.refusals import Refusal
from matching.protocol.units import OrderKind
from settlement.netting import Obligation

# From the first, included, to the second, not included; None for an open end.
Span = tuple[int | None, int | None]
AWAIT_S = 1.0
_AWAIT_STEP_S = 0.01
_ORDER_COLUMNS = tuple(field.name for field in fields(OrderRecord))
_FILL_COLUMNS = FillRecord._fields
# Units have 63 bits: none needs to become a Decimal where thousands are read.
_FILLS_SQL = (
    "SELECT "
    + ", ".join(f"{name}::bigint" if name.endswith("_units") else name for name in _FILL_COLUMNS)
    + f" FROM {Fill._meta.db_table} WHERE sequence BETWEEN %s AND %s ORDER BY fill_id LIMIT %s"
)


def oldest_fill_ns(*, after_sequence: int) -> int | None:
    """Return the time of the first fill after a sequence number, or None when there is none."""
    rows = Fill.objects.filter(sequence__gt=after_sequence).order_by("sequence")
    return rows.values_list("time_ns", flat=True).first()


def projector_position() -> int:
    """Return the sequence number up to which orders and fills are written."""
    return ProjectorPosition.objects.values_list("sequence", flat=True).get(id=1)


def fills_count() -> int:
    """Return how many fills are written."""
    return Fill.objects.count()


def order_find(account: int, order_id: int) -> OrderRecord | None:
    """Return an account's order as far as it is projected."""
    return _first(account=account, order_id=order_id)


async def order_get(account: int, order_id: int) -> OrderRecord:
    """Return an account's order, waiting for the projector when it was placed this moment.

    Raises `Problem`: unknown_order (also for another account's), projection_behind.
    """
    found = await in_thread(order_find, account, order_id)
    if found is None and await _position(None) < order_id <= await _engine_sequence():
        await projection_await(order_id)
    found = found or await in_thread(order_find, account, order_id)
    if found is None:
        raise Problem(Refusal.UNKNOWN_ORDER, f"you have no order {order_id}")
    return found


async def order_get_by_client_id(account: int, client_order_id: str) -> OrderRecord:
    """Return an account's newest order by the client's own id; waits and raises as `order_get`."""
    found = await in_thread(_newest, account, client_order_id)
    if found is None:
        await projection_await(await _engine_sequence())
        found = await in_thread(_newest, account, client_order_id)
    if found is None:
        raise Problem(Refusal.UNKNOWN_ORDER, f"you have no order {client_order_id[:36]!a}")
    return found


async def stops_renew(orders: Sequence[OrderRecord]) -> None:
    """Set the stop price of trailing stops that wait to where it stands now, of one account.

    It follows the market without events: the engine alone knows it. Without the engine the last
    that was recorded stays.
    """
    trailing = {
        order.order_id: order
        for order in orders
        if order.state == OrderState.WAITING and order.kind == OrderKind.TRAILING_STOP
    }
    if not trailing:
        return
    try:
        reply = await engine_of_loop().ask(GetOpenOrders(orders[0].account))
    except EngineUnavailable:
        return
    assert isinstance(reply, OpenOrders)
    for found in reply.orders:
        if found.order_id in trailing and found.stop_price_ticks:
            trailing[found.order_id].stop_price_ticks = found.stop_price_ticks


def kill_switch(*, account: int) -> tuple[bool, int | None]:
    """Return whether an account is stopped, and when that last changed in ns."""
    row = KillSwitch.objects.filter(account=account, instrument=0).first()
    return (row.engaged, row.changed_at_ns) if row else (False, None)


def orders_page(
    account: int,
    *,
    open_only: bool | None,
    instrument: int | None,
    span_ns: Span = (None, None),
    before: int | None,
    limit: int,
) -> list[OrderRecord]:
    """Return an account's orders, newest first, accepted in a span, with ids below `before`."""
    rows = Order.objects.filter(account=account)
    if open_only is not None:
        rows = rows.filter(state__in=LIVE) if open_only else rows.exclude(state__in=LIVE)
    where = _where("accepted_at_ns", span_ns) | _where("order_id", (None, before))
    if instrument is not None:
        where["instrument"] = instrument
    rows = rows.filter(**where)
    return [
        OrderRecord(*row) for row in rows.order_by("-order_id").values_list(*_ORDER_COLUMNS)[:limit]
    ]


def fills_page(
    account: int,
    *,
    order_id: int | None,
    instrument: int | None,
    span_ns: Span = (None, None),
    before: int | None,
    limit: int,
) -> list[FillRecord]:
    """Return an account's fills on either side in a span, newest first, with ids below `before`."""
    found: dict[int, FillRecord] = {}
    where = _where("time_ns", span_ns) | _where("fill_id", (None, before))
    if instrument is not None:
        where["instrument"] = instrument
    # Two reads along two indexes: an OR over both columns would sort all fills of the account.
    for side in ("maker", "taker"):
        rows = Fill.objects.filter(**{f"{side}_account": account}, **where)
        if order_id is not None:
            rows = rows.filter(**{f"{side}_order_id": order_id})
        for row in rows.order_by("-fill_id").values_list(*_FILL_COLUMNS)[:limit]:
            found[row[0]] = FillRecord(*row)
    return [found[fill_id] for fill_id in sorted(found, reverse=True)[:limit]]


def fills_between(
    from_sequence: int, to_sequence: int, *, limit: int | None = None
) -> list[FillRecord]:
    """Return the fills of a range of engine sequences, both ends included, by fill."""
    with connection.cursor() as cursor:
        cursor.execute(_FILLS_SQL, [from_sequence, to_sequence, limit])
        return list(map(FillRecord._make, cursor.fetchall()))


def movements_between(from_sequence: int, to_sequence: int) -> list[Obligation]:
    """Return what moved without fills in a range of engine sequences, both ends included."""
    rows = Movement.objects.filter(sequence__range=(from_sequence, to_sequence))
    return [
        Obligation(
            fill_id=0,
            sequence=row.sequence,
            instrument=0,
            buyer=row.buyer,
            seller=row.seller,
            base_asset=row.base_asset,
            base_units=int(row.base_units),
            quote_asset=row.quote_asset,
            quote_units=int(row.quote_units),
            buyer_fee_units=0,
            seller_fee_units=0,
        )
        for row in rows.order_by("sequence")
    ]


def proposals_to_sign(upto_sequence: int) -> list[BatchProposal]:
    """Return unsigned proposals of ranges that end at or below a sequence number."""
    rows = BatchProposal.objects.filter(
        state=BatchProposalState.PROPOSED, to_sequence__lte=upto_sequence
    )
    return list(rows.order_by("batch_id"))


async def projection_await(sequence: int) -> None:
    """Wait until records are written up to `sequence`. Raises `Problem` projection_behind."""
    deadline = time.monotonic() + AWAIT_S
    while await _position(None) < sequence:
        if time.monotonic() > deadline:
            raise Problem(
                DoorCode.PROJECTION_BEHIND, f"records are not yet written up to {sequence}"
            )
        await asyncio.sleep(_AWAIT_STEP_S)


async def _positions(asked: Sequence[None]) -> list[int]:
    return [await in_thread(projector_position)] * len(asked)


# However many wait, they share a read.
_position = Gathered[None, int](_positions)


def _where(column: str, span: Span) -> dict[str, int]:
    """Return the conditions of a half-open span; an open end asks nothing."""
    ends = {f"{column}__gte": span[0], f"{column}__lt": span[1]}
    return {name: end for name, end in ends.items() if end is not None}


def _first(**where: int | str) -> OrderRecord | None:
    row = Order.objects.filter(**where).values_list(*_ORDER_COLUMNS).first()
    return OrderRecord(*row) if row else None


def _newest(account: int, client_order_id: str) -> OrderRecord | None:
    rows = Order.objects.filter(account=account, client_order_id=client_order_id)
    row = rows.order_by("-order_id").values_list(*_ORDER_COLUMNS).first()
    return OrderRecord(*row) if row else None


async def _engine_sequence() -> int:
    status = await engine_of_loop().ask(GetStatus())
    assert isinstance(status, Status)
    return status.sequence

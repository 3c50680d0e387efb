"""The projector against a real engine's events and a real database."""

import random
from dataclasses import astuple
from typing import Any

import msgspec
import pytest
from django.db import DatabaseError, connection, transaction

from exchange.trading import selectors
from exchange.trading.errors import ProjectionFault
from exchange.trading.models import Fill, Order, OrderState
from exchange.trading.projection import Projection
from exchange.trading.projector import _FILL_COLUMNS, _ORDER_COLUMNS, entries_project
from matching.protocol.codec import StreamEntry
from matching.protocol.commands import OrderTerms
from matching.protocol.events import Applied, Filled, OrderAccepted, OrderCancelled, OrderReduced
from matching.protocol.queries import GetOpenOrders, OpenOrders
from matching.protocol.units import (
    CancelReason,
    FillKind,
    Medium,
    OrderKind,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from tests.exchange.flows import Flow, entries_of

pytestmark = pytest.mark.django_db


def rows() -> tuple[list[Any], list[Any]]:
    return (
        list(Order.objects.order_by("order_id").values_list(*_ORDER_COLUMNS)),
        list(Fill.objects.order_by("fill_id").values_list(*_FILL_COLUMNS)),
    )


def project(entries: list[StreamEntry], *, at_once: int) -> None:
    position = selectors.projector_position()
    for start in range(0, len(entries), at_once):
        position = entries_project(entries[start : start + at_once], after_sequence=position)


@pytest.mark.parametrize("seed", [1, 2])
def test_rows_are_those_of_a_fold_over_all_events_however_they_are_cut(seed: int) -> None:
    flow = Flow(seed).run(1_500)
    expected = Projection()
    for applied in flow.applied:
        expected.apply(applied)
    project(entries_of(flow.applied, random.Random(seed).randint(1, 90)), at_once=3)
    orders, fills = rows()
    assert orders == [astuple(expected.orders[number]) for number in sorted(expected.orders)]
    assert fills == expected.fills
    assert len(fills) > 300
    assert selectors.projector_position() == flow.engine.sequence


def test_open_orders_are_the_engines() -> None:
    flow = Flow(3).run(1_000)
    project(entries_of(flow.applied, 64), at_once=4)
    reply = flow.engine.answer(GetOpenOrders())
    assert isinstance(reply, OpenOrders)
    columns = ("order_id", "account", "price_ticks", "remaining_lots")
    found = Order.objects.filter(state=1).order_by("order_id").values_list(*columns)
    assert list(found) == sorted(
        (each.order_id, each.account, each.price_ticks, each.remaining_lots)
        for each in reply.orders
    )


def test_nothing_is_written_when_entries_come_again_or_with_a_gap() -> None:
    flow = Flow(4).run(300)
    entries = entries_of(flow.applied, 50)
    project(entries[:3], at_once=3)
    before = rows()
    for wrong, after in ((entries[2:4], 100), (entries[4:], 150), (entries[3:], 100)):
        with pytest.raises(ProjectionFault):
            entries_project(wrong, after_sequence=after)
    assert rows() == before
    project(entries[3:], at_once=1)


def test_nothing_is_written_when_an_event_speaks_of_an_unknown_order() -> None:
    flow = Flow(5).run(300)
    entries = entries_of(flow.applied, len(flow.applied))
    (whole,) = entries
    forgotten = [
        applied
        for applied in whole.applied
        if not isinstance(applied.events[0], OrderAccepted) or applied.sequence % 2
    ]
    with pytest.raises(ProjectionFault, match="never accepted"):
        entries_project([StreamEntry(0, tuple(forgotten))], after_sequence=0)
    assert rows() == ([], [])


def test_fills_cannot_be_changed_when_they_are_written() -> None:
    project(entries_of(Flow(6).run(200).applied, 300), at_once=1)
    table = Fill._meta.db_table
    for statement in (
        f"UPDATE {table} SET price_ticks = 1",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
    ):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_client_order_id_used_again_names_the_newest_order() -> None:
    """The engine lets an id be used again once it has forgotten it: records hold both orders."""
    flow = Flow(7).run(200)
    project(entries_of(flow.applied, 300), at_once=1)
    first = Order.objects.filter(account=1000).earliest("order_id")
    Order.objects.filter(account=1000).update(client_order_id=first.client_order_id)
    newest = Order.objects.filter(account=1000).latest("order_id")
    found = selectors._newest(1000, first.client_order_id)
    assert found is not None and found.order_id == newest.order_id > first.order_id


def test_external_and_compensating_fills_are_recorded_and_complete_what_was_routed() -> None:
    """A partner fills what left the order; a fill that undoes another has no order at all."""
    accepted = OrderAccepted(
        5, 1000, "a", 1, Side.BUY, OrderKind.LIMIT, TimeInForce.GTC, 10, 4, False,
        SelfTradePrevention.CANCEL_NEWEST, Medium.REST, OrderTerms(tag="t"),
    )  # fmt: skip
    routed = (
        OrderReduced(5, 1000, 1, 4, 0),
        OrderCancelled(5, 1000, 1, CancelReason.ROUTED, 0),
    )
    half = Filled(1, 1, 10, 2, 20, 200, Side.BUY, 0, 5, 1001, 1000, 0, 1, 0, 0, FillKind.EXTERNAL)
    undone = Filled(
        3, 1, 10, 2, 20, 200, Side.BUY, 0, 0, 1001, 1000, 0, 0, 0, 0, FillKind.COMPENSATING
    )
    rest = msgspec.structs.replace(half, fill_id=2)
    for sequence, events, filled, state in (
        (1, (accepted, *routed), 0, OrderState.CANCELLED),
        (2, (half,), 2, OrderState.CANCELLED),
        (3, (rest, undone), 4, OrderState.FILLED),
    ):
        entry = StreamEntry(sequence - 1, (Applied(sequence, sequence, events),))
        entries_project([entry], after_sequence=selectors.projector_position())
        order = Order.objects.get(order_id=5)
        assert (order.filled_lots, order.state, order.tag) == (filled, state, "t")
    assert order.cancel_reason is None
    kinds = Fill.objects.order_by("fill_id").values_list("kind", "taker_order_id")
    assert list(kinds) == [
        (FillKind.EXTERNAL, 5),
        (FillKind.EXTERNAL, 5),
        (FillKind.COMPENSATING, 0),
    ]

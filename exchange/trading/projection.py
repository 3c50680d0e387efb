"""Orders and fills as a pure function of events; the projector writes them, the door shows them.

What must not live here: the database, the clock, or anything that events do not say.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from exchange.trading.errors import ProjectionFault
from exchange.trading.models import OrderState
from matching.protocol.commands import OrderTerms
from matching.protocol.events import (
    AnyEvent,
    Applied,
    Filled,
    OrderAccepted,
    OrderActivated,
    OrderAmended,
    OrderCancelled,
    OrderParked,
    OrderReduced,
)
from matching.protocol.units import CancelReason, FillKind


@dataclass(slots=True)
class OrderRecord:
    """An order's columns, in the order of the table `trading_order` as the projector writes it."""

    order_id: int
    account: int
    client_order_id: str
    instrument: int
    side: int
    kind: int
    acting_kind: int
    time_in_force: int
    placed_price_ticks: int
    placed_quantity_lots: int
    price_ticks: int
    quantity_lots: int
    stop_price_ticks: int
    trail_ticks: int
    display_lots: int
    minimum_lots: int
    cash_units: int
    expires_at_ns: int
    tag: str
    pair: str
    filled_lots: int
    remaining_lots: int
    filled_quote_units: int
    fee_units: int
    post_only: bool
    self_trade_prevention: int
    medium: int
    state: int
    cancel_reason: int | None
    accepted_at_ns: int
    updated_at_ns: int
    updated_sequence: int


class FillRecord(NamedTuple):
    """A fill's columns, in the order of the table `trading_fill` as the projector writes it."""

    fill_id: int
    sequence: int
    time_ns: int
    instrument: int
    price_ticks: int
    quantity_lots: int
    base_units: int
    quote_units: int
    taker_side: int
    maker_order_id: int
    taker_order_id: int
    maker_account: int
    taker_account: int
    maker_fee_units: int
    taker_fee_units: int
    kind: int


NO_TERMS = OrderTerms()


def orders_of(event: AnyEvent) -> tuple[int, ...]:
    """Return the ids of the orders that an event changes; none for one that it creates."""
    match event:
        case Filled(maker_order_id=maker, taker_order_id=taker):
            # Behind a side of a partner's fill, or of one that undoes another, stands no order.
            return (maker, taker) if maker and taker else tuple(filter(None, (maker, taker)))
        case OrderReduced() | OrderAmended() | OrderCancelled() | OrderParked() | OrderActivated():
            return (event.order_id,)
        case _:
            return ()


def orders_touched(batch: Iterable[Applied]) -> set[int]:
    """Return the orders that these events change and did not create: they must be known before."""
    touched: set[int] = set()
    created: set[int] = set()
    for applied in batch:
        for event in applied.events:
            if type(event) is OrderAccepted:
                created.add(event.order_id)
            else:
                touched.update(orders_of(event))
    return touched - created


class Projection:
    """Folds events into `orders` (by id), `created` and `changed` (ids), and new `fills`."""

    def __init__(self, orders: Iterable[OrderRecord] = ()) -> None:
        self.orders = {order.order_id: order for order in orders}
        self.created: set[int] = set()
        self.changed: set[int] = set()
        self.fills: list[FillRecord] = []

    def apply(self, applied: Applied) -> None:
        """Take in what one command did. Raises `ProjectionFault` for an order never heard of."""
        for event in applied.events:
            if type(event) is OrderAccepted:
                self.created.add(event.order_id)
                self.orders[event.order_id] = order_accepted(event, applied.time_ns)
                continue
            for order_id in orders_of(event):
                order = self.orders.get(order_id)
                if order is None:
                    raise ProjectionFault(
                        f"the event at {applied.sequence} changes order {order_id}, which was "
                        "never accepted"
                    )
                order_change(order, event, applied.sequence, applied.time_ns)
                self.changed.add(order_id)
            if type(event) is Filled:
                self.fills.append(fill_record(event, applied))


def order_accepted(event: OrderAccepted, time_ns: int) -> OrderRecord:
    """Return the record of an order as it was accepted."""
    terms = event.terms or NO_TERMS
    return OrderRecord(
        order_id=event.order_id,
        account=event.account,
        client_order_id=event.client_order_id,
        instrument=event.instrument,
        side=event.side,
        kind=event.kind,
        acting_kind=event.kind,
        time_in_force=event.time_in_force,
        placed_price_ticks=event.price_ticks,
        placed_quantity_lots=event.quantity_lots,
        price_ticks=event.price_ticks,
        quantity_lots=event.quantity_lots,
        stop_price_ticks=terms.stop_price_ticks,
        trail_ticks=terms.trail_ticks,
        display_lots=terms.display_lots,
        minimum_lots=terms.minimum_lots,
        cash_units=terms.cash_units,
        expires_at_ns=terms.expires_at_ns,
        tag=terms.tag,
        pair=terms.pair,
        filled_lots=0,
        remaining_lots=event.quantity_lots,
        filled_quote_units=0,
        fee_units=0,
        post_only=event.post_only,
        self_trade_prevention=event.self_trade_prevention,
        medium=event.medium,
        state=OrderState.OPEN,
        cancel_reason=None,
        accepted_at_ns=time_ns,
        updated_at_ns=time_ns,
        updated_sequence=event.order_id,
    )


def order_change(order: OrderRecord, event: AnyEvent, sequence: int, time_ns: int) -> None:
    """Change an order by an event that concerns it (see `orders_of`)."""
    order.updated_at_ns = time_ns
    order.updated_sequence = sequence
    match event:
        case Filled():
            maker = order.order_id == event.maker_order_id
            order.filled_lots += event.quantity_lots
            order.filled_quote_units += event.quote_units
            order.fee_units += event.maker_fee_units if maker else event.taker_fee_units
            if event.kind == FillKind.EXTERNAL:
                # The lots left the order when they were routed; only the last fill completes it.
                if order.filled_lots == order.quantity_lots:
                    order.state, order.cancel_reason = OrderState.FILLED, None
                return
            order.remaining_lots = (
                event.maker_remaining_lots if maker else event.taker_remaining_lots
            )
            if not order.remaining_lots:
                order.state = OrderState.FILLED
        case OrderReduced():
            order.remaining_lots = event.remaining_lots
            if not event.remaining_lots:
                order.state = OrderState.CANCELLED
                order.cancel_reason = CancelReason.SELF_TRADE
        case OrderAmended():
            order.price_ticks = event.price_ticks
            order.quantity_lots += event.remaining_lots - order.remaining_lots
            order.remaining_lots = event.remaining_lots
            if event.stop_price_ticks:
                order.stop_price_ticks = event.stop_price_ticks
        case OrderParked():
            order.state = OrderState.WAITING
            order.stop_price_ticks = event.stop_price_ticks
        case OrderActivated():
            order.state = OrderState.OPEN
            order.acting_kind = event.kind
            order.price_ticks = event.price_ticks
        case OrderCancelled():
            order.remaining_lots = 0
            order.state = OrderState.CANCELLED
            order.cancel_reason = event.reason


def fill_record(event: Filled, applied: Applied) -> FillRecord:
    """Return the record of a fill."""
    return FillRecord(
        fill_id=event.fill_id,
        sequence=applied.sequence,
        time_ns=applied.time_ns,
        instrument=event.instrument,
        price_ticks=event.price_ticks,
        quantity_lots=event.quantity_lots,
        base_units=event.base_units,
        quote_units=event.quote_units,
        taker_side=event.taker_side,
        maker_order_id=event.maker_order_id,
        taker_order_id=event.taker_order_id,
        maker_account=event.maker_account,
        taker_account=event.taker_account,
        maker_fee_units=event.maker_fee_units,
        taker_fee_units=event.taker_fee_units,
        kind=event.kind,
    )

"""From what a member wrote to commands, and from records to what a member reads."""

import re
from enum import IntEnum
from typing import Any

from exchange.api.errors import DoorCode, Problem
from exchange.api.times import time_format
from exchange.listings.selectors import instrument_by_id, instrument_by_symbol, price_parse
from exchange.listings.terms import InstrumentTerms
from exchange.trading.api import shapes
from exchange.trading.models import OrderState
from exchange.trading.projection import FillRecord, OrderRecord
from matching.protocol import commands
from matching.protocol.events import OrderCancelled
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CLIENT_ORDER_ID_PATTERN,
    CancelReason,
    Medium,
    OrderKind,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

_client_order_id = re.compile(CLIENT_ORDER_ID_PATTERN, re.ASCII)


def place_command(account: int, body: shapes.PlaceOrder) -> commands.PlaceOrder:
    """Return the command that the body asks for. Raises `Problem`."""
    client_order_id_check(body.client_order_id)
    terms = instrument_by_symbol(body.instrument)
    market = body.kind == "market"
    force = body.time_in_force or ("ioc" if market else "gtc")
    if market and (body.price is not None or body.post_only or force == "gtc"):
        raise Problem(
            DoorCode.FIELD_INVALID, "a market order has no price, is not post_only, and not gtc"
        )
    if body.post_only and force != "gtc":
        raise Problem(DoorCode.FIELD_INVALID, "a post_only order is gtc")
    if not market and body.price is None:
        raise Problem(Refusal.PRICE_INVALID, "a limit order needs a price")
    price_ticks = 0 if body.price is None else price_parse(terms, body.price)
    quantity_lots = terms.quantity_parse(body.quantity)
    terms.value_check(price_ticks, quantity_lots)
    return commands.PlaceOrder(
        account=account,
        client_order_id=body.client_order_id,
        instrument=terms.id,
        side=Side[body.side.upper()],
        kind=OrderKind[body.kind.upper()],
        time_in_force=TimeInForce[force.upper()],
        price_ticks=price_ticks,
        quantity_lots=quantity_lots,
        post_only=body.post_only,
        self_trade_prevention=SelfTradePrevention[body.self_trade_prevention.upper()],
        medium=Medium.REST,
    )


def client_order_id_check(text: str) -> None:
    """Raise `Problem` unless the text is a client order id, to its very end."""
    if not _client_order_id.fullmatch(text):
        raise Problem(DoorCode.FIELD_INVALID, f"client_order_id: {CLIENT_ORDER_ID_PATTERN}")


def amend_steps(order: OrderRecord, body: shapes.AmendOrder) -> tuple[int, int]:
    """Return ticks and lots of an amendment. Raises `Problem`."""
    terms = instrument_by_id(order.instrument)
    price_ticks, quantity_lots = price_parse(terms, body.price), terms.quantity_parse(body.quantity)
    terms.value_check(price_ticks, quantity_lots)
    return price_ticks, quantity_lots


def instrument_number(symbol: str | None) -> int | None:
    """Return the engine's number of a symbol, None for none. Raises `Problem`."""
    return None if symbol is None else instrument_by_symbol(symbol).id


def order_show(order: OrderRecord) -> shapes.Order:
    """Return an order as its member reads it."""
    terms = instrument_by_id(order.instrument)
    quantity, amount = terms.lot.format, terms.quote.format
    return shapes.Order(
        order_id=str(order.order_id),
        client_order_id=order.client_order_id,
        instrument=terms.symbol,
        side=_name(Side(order.side)),
        kind=_name(OrderKind(order.kind)),
        time_in_force=_name(TimeInForce(order.time_in_force)),
        price=terms.tick.format(order.price_ticks) if order.price_ticks else None,
        quantity=quantity(order.quantity_lots),
        filled_quantity=quantity(order.filled_lots),
        remaining_quantity=quantity(order.remaining_lots),
        filled_amount=amount(order.filled_quote_units),
        fee=amount(order.fee_units),
        post_only=order.post_only,
        self_trade_prevention=_name(SelfTradePrevention(order.self_trade_prevention)),
        state=_name(OrderState(order.state)),
        cancel_reason=None
        if order.cancel_reason is None
        else _name(CancelReason(order.cancel_reason)),
        accepted_at=time_format(order.accepted_at_ns),
        updated_at=time_format(order.updated_at_ns),
    )


def cancelled_show(event: OrderCancelled, time_ns: int) -> shapes.CancelledOrder:
    """Return a cancellation as its member reads it."""
    terms = instrument_by_id(event.instrument)
    return shapes.CancelledOrder(
        order_id=str(event.order_id),
        instrument=terms.symbol,
        state="cancelled",
        cancelled_quantity=terms.lot.format(event.remaining_lots),
        cancelled_at=time_format(time_ns),
    )


def fill_show(fill: FillRecord, account: int, settled_sequence: int) -> shapes.Fill:
    """Return a fill as one of its two members reads it."""
    terms: InstrumentTerms = instrument_by_id(fill.instrument)
    taker = fill.taker_account == account
    assert taker or fill.maker_account == account, f"fill {fill.fill_id} is not of {account}"
    return shapes.Fill(
        fill_id=str(fill.fill_id),
        order_id=str(fill.taker_order_id if taker else fill.maker_order_id),
        instrument=terms.symbol,
        side="buy" if taker == (fill.taker_side == Side.BUY) else "sell",
        liquidity="taker" if taker else "maker",
        price=terms.tick.format(fill.price_ticks),
        quantity=terms.lot.format(fill.quantity_lots),
        amount=terms.quote.format(fill.quote_units),
        fee=terms.quote.format(fill.taker_fee_units if taker else fill.maker_fee_units),
        fee_asset=terms.quote.code,
        filled_at=time_format(fill.time_ns),
        sequence=str(fill.sequence),
        settled=fill.sequence <= settled_sequence,
    )


def _name(value: IntEnum) -> Any:
    """Return the name by which a code goes outside; the shapes say which names there are."""
    return value.name.lower()

"""From what a member wrote to commands, and from records to what a member reads."""

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import msgspec
from django.conf import settings

from custody.catalogue import CASH
from exchange.api.errors import DoorCode, Problem
from exchange.api.times import moment_ns, time_format
from exchange.listings.decimals import decimal_format, decimal_parse
from exchange.listings.selectors import (
    instrument_by_id,
    instrument_by_symbol,
    instruments,
    price_parse,
)
from exchange.listings.terms import InstrumentTerms
from exchange.trading.api import shapes
from exchange.trading.models import OrderState
from exchange.trading.projection import FillRecord, OrderRecord
from exchange.trading.tiers import Standing
from matching.protocol import commands
from matching.protocol.events import OrderCancelled
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CLIENT_ORDER_ID_PATTERN,
    TAG_PATTERN,
    UNITS_MAX,
    CancelReason,
    FillKind,
    Medium,
    OrderKind,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

_client_order_id = re.compile(CLIENT_ORDER_ID_PATTERN, re.ASCII)
_tag = re.compile(TAG_PATTERN, re.ASCII)
_LIMITED = frozenset({"limit", "stop_limit", "conditional_limit", "midpoint"})
_FORCES = {"market": "ioc", "conditional_limit": "day"}
_NO_TERMS = commands.OrderTerms()


def place_command(account: int, body: shapes.PlaceOrder) -> commands.PlaceOrder:
    """Return the command that the body asks for. Raises `Problem`."""
    client_order_id_check(body.client_order_id)
    tag_check(body.tag)
    terms = instrument_by_symbol(body.instrument)
    force = body.time_in_force or ("gtd" if body.expires_at else _FORCES.get(body.kind, "gtc"))
    if body.kind not in _LIMITED and body.price is not None:
        raise Problem(DoorCode.FIELD_INVALID, f"a {body.kind} order has no price")
    if body.kind in _LIMITED and body.price is None:
        raise Problem(Refusal.PRICE_INVALID, f"a {body.kind} order needs a price")
    price_ticks = 0 if body.price is None else price_parse(terms, body.price)
    order_terms, quantity_lots = _terms(terms, body), _quantity(terms, body)
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
        terms=None if order_terms == _NO_TERMS else order_terms,
    )


def pair_commands(
    account: int, body: shapes.PlacePair
) -> tuple[commands.PlaceOrder, commands.PlaceOrder]:
    """Return the stop order and the limit order that names it as its pair. Raises `Problem`."""
    stop, limit = place_command(account, body.stop), place_command(account, body.limit)
    paired = msgspec.structs.replace(limit.terms or _NO_TERMS, pair=stop.client_order_id)
    return stop, msgspec.structs.replace(limit, terms=paired)


def _terms(terms: InstrumentTerms, body: shapes.PlaceOrder) -> commands.OrderTerms:
    """Return what most orders leave out. Raises `Problem`."""

    def lots(text: str | None) -> int:
        return 0 if text is None else terms.quantity_parse(text)

    return commands.OrderTerms(
        stop_price_ticks=0 if body.stop_price is None else price_parse(terms, body.stop_price),
        trail_ticks=0 if body.trail is None else terms.distance_parse(body.trail),
        display_lots=lots(body.display_quantity),
        minimum_lots=lots(body.minimum_quantity),
        cash_units=0 if body.amount is None else _amount_units(terms, body.amount),
        expires_at_ns=0 if body.expires_at is None else moment_ns(body.expires_at),
        tag=body.tag,
    )


def _amount_units(terms: InstrumentTerms, text: str) -> int:
    units = decimal_parse(text, terms.quote.decimals)
    if not units or units > UNITS_MAX:
        raise Problem(
            DoorCode.AMOUNT_INVALID,
            f"amount {text[:40]!a} is not a positive decimal of {terms.quote.code} with at most "
            f"{terms.quote.decimals} places",
        )
    return units


def _quantity(terms: InstrumentTerms, body: shapes.PlaceOrder) -> int:
    """Return lots; for an amount of cash the most that an order may have. Raises `Problem`."""
    if (body.quantity is None) == (body.amount is None):
        raise Problem(
            DoorCode.FIELD_INVALID, "give a quantity or, for a market order to buy, an amount"
        )
    return terms.quantity_lots_max if body.quantity is None else terms.quantity_parse(body.quantity)


def tag_check(text: str) -> None:
    """Raise `Problem` unless the text is a tag, to its very end."""
    if not _tag.fullmatch(text):
        raise Problem(DoorCode.FIELD_INVALID, f"tag: {TAG_PATTERN}")


def client_order_id_check(text: str) -> None:
    """Raise `Problem` unless the text is a client order id, to its very end."""
    if not _client_order_id.fullmatch(text):
        raise Problem(DoorCode.FIELD_INVALID, f"client_order_id: {CLIENT_ORDER_ID_PATTERN}")


def amend_command(order: OrderRecord, body: shapes.AmendOrder) -> commands.AmendOrder:
    """Return the command that an amendment asks for. Raises `Problem`."""
    terms = instrument_by_id(order.instrument)
    if order.price_ticks and body.price is None:
        raise Problem(Refusal.PRICE_INVALID, "an order with a limit needs a price")
    price_ticks = 0 if body.price is None else price_parse(terms, body.price)
    quantity_lots = terms.quantity_parse(body.quantity)
    terms.value_check(price_ticks, quantity_lots)
    return commands.AmendOrder(
        order.account,
        order.order_id,
        price_ticks,
        quantity_lots,
        0 if body.stop_price is None else price_parse(terms, body.stop_price),
    )


def instrument_number(symbol: str | None) -> int | None:
    """Return the engine's number of a symbol, None for none. Raises `Problem`."""
    return None if symbol is None else instrument_by_symbol(symbol).id


def order_show(order: OrderRecord) -> shapes.Order:
    """Return an order as its member reads it."""
    terms = instrument_by_id(order.instrument)
    quantity, amount = terms.lot.format, terms.quote.format

    def given(value: int, show: Callable[[int], str]) -> str | None:
        return show(value) if value else None

    return shapes.Order(
        order_id=str(order.order_id),
        client_order_id=order.client_order_id,
        instrument=terms.symbol,
        side=_name(Side(order.side)),
        kind=_name(OrderKind(order.kind)),
        acting_kind=_name(OrderKind(order.acting_kind)),
        time_in_force=_name(TimeInForce(order.time_in_force)),
        price=given(order.price_ticks, terms.tick.format),
        stop_price=given(order.stop_price_ticks, terms.tick.format),
        trail=given(order.trail_ticks, terms.tick.format),
        quantity=None if order.cash_units else quantity(order.quantity_lots),
        display_quantity=given(order.display_lots, quantity),
        minimum_quantity=given(order.minimum_lots, quantity),
        amount=given(order.cash_units, amount),
        filled_quantity=quantity(order.filled_lots),
        remaining_quantity=quantity(order.remaining_lots),
        filled_amount=amount(order.filled_quote_units),
        fee=amount(order.fee_units),
        post_only=order.post_only,
        self_trade_prevention=_name(SelfTradePrevention(order.self_trade_prevention)),
        expires_at=given(order.expires_at_ns, time_format),
        tag=order.tag,
        pair=order.pair or None,
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
    order_id = fill.taker_order_id if taker else fill.maker_order_id
    return shapes.Fill(
        fill_id=str(fill.fill_id),
        order_id=str(order_id) if order_id else None,
        instrument=terms.symbol,
        side="buy" if taker == (fill.taker_side == Side.BUY) else "sell",
        kind=_name(FillKind(fill.kind)),
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


def fee_tier_show(standing: Standing) -> shapes.FeeTierStanding:
    """Return a member's tier with its rates in every market."""
    tier, volumes = standing.tier, settings.MARKETS_FEE_TIER_VOLUMES_KRW
    return shapes.FeeTierStanding(
        tier=tier,
        volume=decimal_format(standing.volume_units, CASH.decimals),
        markets=[
            shapes.MarketFees(terms.symbol, *terms.fees(tier)) for terms in instruments().values()
        ],
        next_tier=shapes.NextTier(tier + 1, str(volumes[tier])) if tier < len(volumes) else None,
    )


def _name(value: IntEnum) -> Any:
    """Return the name by which a code goes outside; the shapes say which names there are."""
    return value.name.lower()

"""What each event meant for one order, in a sentence: the table that `explain` reads from.

An event without a line here is told by its name and fields. Which events concern an order at all is
said by `orders_named` and `concerns`. What must not live here: state, and how any of it is shown.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import fields

from matching.protocol.events import (
    AnyEvent,
    AuctionUncrossed,
    HeartbeatMissed,
    InstrumentDefined,
    KillSwitchChanged,
    MarketInterrupted,
    OrderAccepted,
    OrderActivated,
    OrderAmended,
    OrderCancelled,
    OrderParked,
    OrderReduced,
    OrderRepeated,
    OrderReplenished,
    PhaseChanged,
    Refused,
    RouteHeld,
)
from matching.protocol.units import CancelReason

# Of all orders of an account, and of all of an instrument: told while the order is open.
OF_ACCOUNT = {HeartbeatMissed, KillSwitchChanged}
OF_INSTRUMENT = {PhaseChanged, AuctionUncrossed, MarketInterrupted, KillSwitchChanged}

REASONS = {
    CancelReason.REQUESTED: "it was asked for",
    CancelReason.IMMEDIATE: "what did not trade at once was not to rest",
    CancelReason.EXPIRED: "its time was over",
    CancelReason.SELF_TRADE: "self-trade prevention",
    CancelReason.RESTRICTED: "a new rule or the holder's eligibility forbids it",
    CancelReason.INSUFFICIENT: "the account could not pay for one lot more",
    CancelReason.CASH_SPENT: "what was left of its amount of cash bought no lot more",
    CancelReason.INTERRUPTED: "its next fill would have been beyond the volatility bounds",
    CancelReason.UNCROSSED: "the auction it was for left it over",
    CancelReason.PAIRED: "the other order of its pair traded, was triggered or ended",
    CancelReason.DISCONNECTED: "the account's heartbeat was missed",
    CancelReason.KILLED: "a kill switch was engaged",
    CancelReason.ROUTED: "what was open went out to a partner exchange",
}

SENTENCES: dict[type, Callable[[Any], str]] = {
    OrderAccepted: lambda e: "accepted",
    OrderRepeated: lambda e: "the same order came again and was answered by this one",
    Refused: lambda e: f"refused as {e.code}: {e.detail}",
    OrderReduced: lambda e: (
        f"{lots(e.by_lots)} taken off without a fill, {e.remaining_lots} remain"
    ),
    OrderAmended: lambda e: (
        f"amended to {lots(e.remaining_lots)} at {e.price_ticks}, "
        f"priority {'kept' if e.priority_kept else 'lost'}"
    ),
    OrderCancelled: lambda e: f"cancelled with {lots(e.remaining_lots)} open: {REASONS[e.reason]}",
    OrderParked: lambda e: (
        f"waits outside the book for a last price of {e.stop_price_ticks}"
        if e.stop_price_ticks
        else "waits outside the book for the closing auction"
    ),
    OrderActivated: lambda e: f"became active as {_order_kind(e)}",
    OrderReplenished: lambda e: (
        f"shows {lots(e.visible_lots)} anew, behind all others of its price"
    ),
    PhaseChanged: lambda e: f"the market's phase became {e.phase.name}",
    InstrumentDefined: lambda e: "the instrument's rules were defined anew",
    AuctionUncrossed: lambda e: (
        f"the auction ended: {lots(e.quantity_lots)} traded at {e.price_ticks}"
        if e.quantity_lots
        else "the auction ended without a trade"
    ),
    MarketInterrupted: lambda e: (
        f"the market was interrupted: a trade at {e.price_ticks} would have been too far "
        f"from {e.reference_ticks} ({e.cause.name})"
    ),
    HeartbeatMissed: lambda e: "the account's heartbeat was missed",
    KillSwitchChanged: lambda e: (
        f"the kill switch of {f'account {e.account}' if e.account else 'the market'} was "
        f"{'engaged' if e.engaged else 'released'}"
    ),
    RouteHeld: lambda e: (
        f"{lots(e.quantity_lots)} went out to a partner exchange as route {e.reference}"
    ),
}


def told(event: AnyEvent) -> str:
    """Return an event as a sentence without its beginning and its full stop."""
    if type(event) in SENTENCES:
        return SENTENCES[type(event)](event)
    content = ", ".join(f"{key} {value}" for key, value in contents(event).items())
    return f"{type(event).__name__}: {content}"


def lots(count: int) -> str:
    """Return a quantity with its unit."""
    return f"{count} lot" if count == 1 else f"{count} lots"


def sentence(*parts: str) -> str:
    """Return what was told as a sentence of its own."""
    joined = "; ".join(parts)
    return f"{joined[:1].upper()}{joined[1:]}."


def concerns(event: AnyEvent, account: int, instrument: int) -> bool:
    """Tell whether an event that names no order is about an account's or instrument's orders."""
    if isinstance(event, InstrumentDefined):
        return event.definition.instrument == instrument
    return bool(
        (type(event) in OF_ACCOUNT and getattr(event, "account", 0) == account)
        or (type(event) in OF_INSTRUMENT and getattr(event, "instrument", 0) == instrument)
    )


def moves(event: AnyEvent) -> bool:
    """Tell whether an order takes a new place by its event."""
    if isinstance(event, OrderAmended):
        return not event.priority_kept
    return isinstance(event, OrderAccepted | OrderActivated)


def parks(event: AnyEvent, parked: bool) -> bool:
    """Tell whether an order waits outside the book after its event."""
    return isinstance(event, OrderParked) or (parked and not isinstance(event, OrderActivated))


def orders_named(event: AnyEvent) -> list[int]:
    """Return the ids of the orders that an event is about."""
    return [getattr(event, key) for key in order_id_fields(type(event))]


def contents(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record's fields, enumerations by name and records within as such."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return contents(value)
    return getattr(value, "name", value)


_keys: dict[type, tuple[str, ...]] = {}


def order_id_fields(kind: type) -> tuple[str, ...]:
    """Return the fields of an event that name an order."""
    if kind not in _keys:
        names = (field.name for field in fields(kind))
        _keys[kind] = tuple(
            name for name in names if name.endswith("order_id") and name != "client_order_id"
        )
    return _keys[kind]


def _order_kind(event: Any) -> str:
    return f"{event.kind.name} at {event.price_ticks}" if event.price_ticks else event.kind.name

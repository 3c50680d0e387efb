"""Events: what the engine did. Past tense, frozen; followers build all records from these alone."""

from typing import TypeAlias

import msgspec

from matching.protocol.commands import DefineInstrument
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    AccountKind,
    CancelReason,
    Medium,
    OrderKind,
    Phase,
    SelfTradePrevention,
    Side,
    TimeInForce,
)


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all events; sequence and time stand in the `Applied` that carries it."""


class Refused(Event, frozen=True, tag=1):
    """The command changed nothing; `detail` says what was expected and what was found."""

    code: Refusal
    detail: str


class InstrumentDefined(Event, frozen=True, tag=2):
    definition: DefineInstrument


class PhaseChanged(Event, frozen=True, tag=3):
    instrument: int
    phase: Phase


class AccountOpened(Event, frozen=True, tag=4):
    account: int
    holder: int
    kind: AccountKind


class EligibilityChanged(Event, frozen=True, tag=5):
    holder: int
    version: int
    classes: int
    frozen: bool


class Credited(Event, frozen=True, tag=6):
    account: int
    asset: int
    amount_units: int
    reference: str


class Debited(Event, frozen=True, tag=7):
    account: int
    asset: int
    amount_units: int
    reference: str


class ReferenceRepeated(Event, frozen=True, tag=8):
    """The same credit or debit was applied before, at `sequence`; nothing changed."""

    reference: str
    sequence: int


class OrderAccepted(Event, frozen=True, tag=9):
    """`order_id` is the sequence number of the command that placed it."""

    order_id: int
    account: int
    client_order_id: str
    instrument: int
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    price_ticks: int
    quantity_lots: int
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    medium: Medium


class OrderRepeated(Event, frozen=True, tag=10):
    """The same order was accepted before under this client order id; nothing changed."""

    order_id: int
    account: int
    client_order_id: str


class Filled(Event, frozen=True, tag=11):
    """A trade at the maker's price. `fill_id` counts from 1 over all instruments without gaps.

    Base moves seller to buyer, quote buyer to seller; each side's fee goes in quote to revenue (a
    negative fee is a rebate paid from the other side's fee). Remaining quantities are those after
    the fill; an order with none is closed.
    """

    fill_id: int
    instrument: int
    price_ticks: int
    quantity_lots: int
    base_units: int
    quote_units: int
    taker_side: Side
    maker_order_id: int
    taker_order_id: int
    maker_account: int
    taker_account: int
    maker_fee_units: int
    taker_fee_units: int
    maker_remaining_lots: int
    taker_remaining_lots: int


class OrderReduced(Event, frozen=True, tag=12):
    """Self-trade prevention took `by_lots` off an order without a fill.

    An order left with nothing is closed by the `OrderCancelled` that follows.
    """

    order_id: int
    account: int
    instrument: int
    by_lots: int
    remaining_lots: int


class OrderAmended(Event, frozen=True, tag=13):
    order_id: int
    account: int
    instrument: int
    price_ticks: int
    remaining_lots: int
    priority_kept: bool


class OrderCancelled(Event, frozen=True, tag=14):
    """The order is closed; `remaining_lots` were open."""

    order_id: int
    account: int
    instrument: int
    reason: CancelReason
    remaining_lots: int


class OrdersCancelled(Event, frozen=True, tag=15):
    """A cancel-all ended: `count` orders were cancelled (their events stand before this one)."""

    account: int
    count: int


AnyEvent: TypeAlias = (
    Refused
    | InstrumentDefined
    | PhaseChanged
    | AccountOpened
    | EligibilityChanged
    | Credited
    | Debited
    | ReferenceRepeated
    | OrderAccepted
    | OrderRepeated
    | Filled
    | OrderReduced
    | OrderAmended
    | OrderCancelled
    | OrdersCancelled
)


class Applied(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one sequenced command did; never empty."""

    sequence: int
    time_ns: int
    events: tuple[AnyEvent, ...]

"""Commands: what a body asks of the engine. Imperative, frozen, complete: it reads nothing else."""

from typing import TypeAlias

import msgspec

from matching.protocol.units import (
    AccountKind,
    Medium,
    OrderKind,
    Phase,
    SelfTradePrevention,
    Side,
    TimeInForce,
)


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all commands; on the wire an array whose first element is the tag."""


class DefineInstrument(Command, frozen=True, tag=1):
    """Create an instrument or change its rules; base and quote never change.

    `quote_units_per_tick_lot` is the quote amount of one tick times one lot. Fee rates are parts
    per million of the quote amount; a negative maker rate is a rebate; a band bound of 0 is none.
    `tick_table` holds pairs (from_price_ticks, step_ticks), rising, the first from 0: from there on
    a price is a multiple of the step. An empty one allows every tick.
    """

    instrument: int
    base_asset: int
    quote_asset: int
    base_units_per_lot: int
    quote_units_per_tick_lot: int
    instrument_class: int
    quantity_lots_max: int
    price_ticks_low: int = 0
    price_ticks_high: int = 0
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    tick_table: tuple[tuple[int, int], ...] = ()


class SetPhase(Command, frozen=True, tag=2):
    """Set an instrument's phase; one decided before the decision in force is refused.

    `decided_at_ns` (Unix time) orders decisions that arrive late or twice; 0 is taken at any time.
    """

    instrument: int
    phase: Phase
    decided_at_ns: int = 0


class OpenAccount(Command, frozen=True, tag=3):
    """Open an account under an opaque holder number; repeating it unchanged changes nothing."""

    account: int
    holder: int
    kind: AccountKind = AccountKind.MEMBER


class SetEligibility(Command, frozen=True, tag=4):
    """Set what a holder may trade; a restriction cancels the resting orders that it forbids.

    `classes` is a bit set of `InstrumentClass`; `version` must rise per holder.
    """

    holder: int
    version: int
    classes: int
    frozen: bool = False


class Credit(Command, frozen=True, tag=5):
    """Add confirmed units to an account; idempotent by `reference`."""

    account: int
    asset: int
    amount_units: int
    reference: str


class Charge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a debit takes besides, told as a `Debited` under `<reference of the debit>:<name>`."""

    name: str
    asset: int
    amount_units: int


class Debit(Command, frozen=True, tag=6):
    """Take available units from an account, and its charges with them or nothing at all.

    Idempotent by `reference`.
    """

    account: int
    asset: int
    amount_units: int
    reference: str
    charges: tuple[Charge, ...] = ()

    @property
    def takings(self) -> "tuple[Debit | Charge, ...]":
        """The debit itself and its charges."""
        return (self, *self.charges)


class PlaceOrder(Command, frozen=True, tag=7):
    """Place an order, idempotent by account and client order id; a market order's price is 0."""

    account: int
    client_order_id: str
    instrument: int
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    price_ticks: int
    quantity_lots: int
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_NEWEST
    medium: Medium = Medium.REST


class AmendOrder(Command, frozen=True, tag=8):
    """Change price or open quantity of a resting order.

    `quantity_lots` is the new open (unfilled) quantity. Priority is kept only when the price stays
    and the quantity falls. An amend that would trade at once trades as a taker.
    """

    account: int
    order_id: int
    price_ticks: int
    quantity_lots: int


class CancelOrder(Command, frozen=True, tag=9):
    """Cancel a resting order, named by `order_id` or, when that is 0, by its client order id."""

    account: int
    order_id: int
    client_order_id: str = ""


class CancelAll(Command, frozen=True, tag=10):
    """Cancel the account's resting orders in one instrument, or in all when `instrument` is 0."""

    account: int
    instrument: int = 0


AnyCommand: TypeAlias = (
    DefineInstrument
    | SetPhase
    | OpenAccount
    | SetEligibility
    | Credit
    | Debit
    | PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAll
)


class Sequenced(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command with its place and time in the one order of the market; what the journal keeps."""

    sequence: int
    time_ns: int
    command: AnyCommand

"""What the oracle remembers: plain records in plain lists, in the order in which they came.

Nothing here is a sum of something else; what can be worked out is worked out each time.
"""

from dataclasses import dataclass, field
from enum import Enum

from matching.protocol.commands import DefineInstrument, DefineSegment, HoldRoute, Referenced
from matching.protocol.events import AnyEvent, OrderAccepted
from matching.protocol.refusals import Refusal
from matching.protocol.units import AccountKind, OrderKind, Phase, Side

AUCTIONS = (Phase.OPENING_AUCTION, Phase.VOLATILITY_AUCTION, Phase.CLOSING_AUCTION)
CONTINUOUS = (Phase.CONTINUOUS, Phase.CONTINUOUS_24H)
STOPS = (OrderKind.STOP, OrderKind.STOP_LIMIT, OrderKind.TRAILING_STOP)


class RefusedError(Exception):
    """The command is refused; raised before anything was changed."""

    def __init__(self, code: Refusal) -> None:
        super().__init__(code)
        self.code = code


def must(condition: object, code: Refusal) -> None:
    """Refuse the command unless the condition holds."""
    if not condition:
        raise RefusedError(code)


class Place(Enum):
    """Where an open order stands in its book."""

    LEVELS = 1
    ANY_PRICE = 2
    MIDPOINTS = 3
    PARKED = 4


@dataclass(eq=False)
class Holder:
    number: int
    version: int = 0
    classes: int = 0
    frozen: bool = False
    tier: int = 0


@dataclass(eq=False)
class Account:
    """`units` are what it has of each asset, held or not."""

    number: int
    holder: Holder
    kind: AccountKind
    units: dict[int, int] = field(default_factory=dict)
    killed: bool = False
    heartbeat_due_ns: int = 0


@dataclass(eq=False)
class Named:
    """An order that is known by its client order id, and the trade date it came on."""

    accepted: OrderAccepted
    day: int


@dataclass(eq=False)
class Order:
    """An order and what has become of it.

    `kind` is how it acts now. `price` is its limit and 0 without one; `cap` is what a buy without a
    limit is held at. `maker_ppm` and `hold_ppm` are the fee terms it came under.
    """

    accepted: OrderAccepted
    account: Account
    kind: OrderKind
    price: int
    cap: int
    lots: int
    shown: int
    maker_ppm: int
    hold_ppm: int
    expires_ns: int
    stop: int = 0
    pair: int = 0
    place: Place = Place.LEVELS
    closed: bool = False

    @property
    def number(self) -> int:
        return self.accepted.order_id

    @property
    def side(self) -> Side:
        return self.accepted.side

    @property
    def waits_for_stop(self) -> bool:
        return self.place is Place.PARKED and self.kind in STOPS


@dataclass(eq=False)
class Market:
    """One instrument. `orders` are all its open orders, parked ones included, by time priority."""

    definition: DefineInstrument
    orders: list[Order] = field(default_factory=list)
    phase: Phase = Phase.CLOSED
    decided_at_ns: int = 0
    decided_phase: Phase = Phase.CLOSED
    ends_at_ns: int = 0
    moved_by_ns: int = 0
    drawn: bool = False
    extended: bool = False
    continuous: Phase = Phase.CONTINUOUS
    auction_after_halt_ns: int = 0
    killed: bool = False
    last: int = 0
    reference: int = 0
    static: int = 0
    tell_at_ns: int = 0
    told: tuple[int, int, int] = (0, 0, 0)

    @property
    def number(self) -> int:
        return self.definition.instrument


@dataclass(eq=False)
class Segment:
    """`base` is None before the first session, which began on the trade date `day`.

    `tripped_index` is that of the stage before; its halt lasts until `halted_until_ns`.
    """

    definition: DefineSegment
    base: int | None = None
    closes_at_ns: int = 0
    stage: int = 0
    tripped_index: int = 0
    met_since_ns: int | None = None
    day: int = 0
    halted_until_ns: int = 0


@dataclass(eq=False)
class Route:
    command: HoldRoute
    lots: int


@dataclass(eq=False)
class Movement:
    command: Referenced
    sequence: int


@dataclass(eq=False)
class State:
    """Everything; `events` are those of the command at hand."""

    holders: list[Holder] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    names: list[Named] = field(default_factory=list)
    markets: list[Market] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    fills: int = 0
    compensated: list[int] = field(default_factory=list)
    sequence: int = 0
    now_ns: int = 0
    events: list[AnyEvent] = field(default_factory=list)

"""The flow of commands that the engine and its peers are measured on: seeded, and steady in size.

Of 100 commands 60 add a limit order that rests, 30 cancel one, 10 take (IOC or market, each about
three resting orders). Buyers and sellers are different members, so that a book without self-trade
prevention trades alike. What must not live here: measuring.
"""

import random
from collections.abc import Iterable

import msgspec

from matching.engine import Engine
from matching.protocol.commands import (
    AnyCommand,
    CancelOrder,
    Credit,
    DefineInstrument,
    OpenAccount,
    PlaceOrder,
    Sequenced,
    SetEligibility,
    SetPhase,
)
from matching.protocol.events import Filled, OrderAccepted
from matching.protocol.units import (
    UNITS_MAX,
    AccountKind,
    InstrumentClass,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
)

INSTRUMENT, BASE, QUOTE, REVENUE = 1, 11, 99, 1
START_NS = 1_790_000_000 * 10**9
MID_TICKS = 10_000
# How deep a resting order stands behind the best price, on the average.
DISTANCE_TICKS = 40
LOTS_MAX = 100
COMMANDS = 200_000
RESTING = 5_000
MEMBERS = 100


class Flow(msgspec.Struct):
    """What opens the market and fills the book, and what is measured then."""

    opening: list[Sequenced]
    measured: list[Sequenced]
    resting: int


def market(members: int) -> list[AnyCommand]:
    """Open one instrument with fees and a band, and members who can afford all they will do."""
    commands: list[AnyCommand] = [
        OpenAccount(REVENUE, REVENUE, AccountKind.REVENUE),
        DefineInstrument(
            INSTRUMENT, BASE, QUOTE, 10, 1_000, InstrumentClass.METAL, 2**40,
            MID_TICKS // 2, MID_TICKS * 2, 200, 500,
        ),
        SetPhase(INSTRUMENT, Phase.CONTINUOUS),
    ]  # fmt: skip
    # What is outstanding of an asset stays within 63 bits.
    funds = min(10**15, UNITS_MAX // members)
    for member in range(REVENUE + 1, REVENUE + 1 + members):
        commands += [
            OpenAccount(member, member),
            SetEligibility(member, 1, InstrumentClass.METAL),
            Credit(member, BASE, funds, f"base-{member}"),
            Credit(member, QUOTE, funds, f"quote-{member}"),
        ]
    return commands


class Generator:
    """Makes commands one by one, and runs them through an engine to know which orders are open."""

    def __init__(self, resting: int, members: int, seed: int = 1) -> None:
        assert members % 2 == 0, "one half of the members buys, the other sells"
        self._random = random.Random(seed)
        self._engine = Engine()
        self._target = resting
        self._members = members
        self._open: dict[int, list[int]] = {}
        self._ids: list[int] = []
        self._names = 0

    def apply(self, command: AnyCommand) -> Sequenced:
        """Give the command its place and remember what it did to the open orders."""
        sequence = self._engine.sequence + 1
        sequenced = Sequenced(sequence, START_NS + sequence * 1_000, command)
        for event in self._engine.apply(sequenced).events:
            if isinstance(event, OrderAccepted) and event.time_in_force is TimeInForce.GTC:
                self._open[event.order_id] = [event.account, len(self._ids)]
                self._ids.append(event.order_id)
            elif isinstance(event, Filled) and not event.maker_remaining_lots:
                self._forget(event.maker_order_id)
        return sequenced

    def _forget(self, order_id: int) -> int:
        """Take an order out of the open ones, in constant time, and return its account."""
        account, place = self._open.pop(order_id)
        last = self._ids.pop()
        if last != order_id:
            self._ids[place] = last
            self._open[last][1] = place
        return account

    @property
    def engine(self) -> Engine:
        """The engine that all of it was given to."""
        return self._engine

    @property
    def resting(self) -> int:
        """Number of open orders."""
        return len(self._ids)

    def add(self) -> PlaceOrder:
        """Return an order that will rest, on either side of an unmoving middle."""
        distance = 1 + int(self._random.expovariate(1 / DISTANCE_TICKS))
        side = self._random.choice((Side.BUY, Side.SELL))
        price = MID_TICKS - distance if side is Side.BUY else MID_TICKS + distance
        lots = self._random.randint(1, LOTS_MAX)
        return self._order(side, OrderKind.LIMIT, TimeInForce.GTC, price, lots)

    def next(self) -> AnyCommand:
        """Return the next command of the flow."""
        chance = self._random.random()
        if chance < 0.60:
            return self.add()
        if chance < 0.90:
            order_id = self._random.choice(self._ids)
            return CancelOrder(self._forget(order_id), order_id)
        # The further the book has grown, the more is taken: the size stays where it began.
        weight = max(0.1, 1 + 10 * (self.resting - self._target) / self._target)
        lots = 1 + int(self._random.uniform(0, 3 * LOTS_MAX) * weight)
        side = self._random.choice((Side.BUY, Side.SELL))
        if chance < 0.95:
            return self._order(side, OrderKind.MARKET, TimeInForce.IOC, 0, lots)
        price = MID_TICKS + 20 * DISTANCE_TICKS * (1 if side is Side.BUY else -1)
        return self._order(side, OrderKind.LIMIT, TimeInForce.IOC, price, lots)

    def _order(
        self, side: Side, kind: OrderKind, force: TimeInForce, price: int, lots: int
    ) -> PlaceOrder:
        self._names += 1
        member = REVENUE + 2 * self._random.randint(1, self._members // 2)
        account = member if side is Side.BUY else member - 1
        name = f"flow-{self._names:010d}"
        return PlaceOrder(account, name, INSTRUMENT, side, kind, force, price, lots)


def flow(
    commands: int = COMMANDS, *, resting: int = RESTING, members: int = MEMBERS, seed: int = 1
) -> Flow:
    """Return the same flow for the same arguments."""
    made = Generator(resting, members, seed)
    opening = [made.apply(command) for command in market(members)]
    opening += [made.apply(made.add()) for _ in range(resting)]
    measured = [made.apply(made.next()) for _ in range(commands)]
    assert resting * 0.9 < made.resting < resting * 1.1, f"{made.resting} orders rest"
    return Flow(opening, measured, made.resting)


def traded_lots(applied: Iterable[object]) -> int:
    """Return the lots of the fills among events."""
    return sum(event.quantity_lots for event in applied if isinstance(event, Filled))

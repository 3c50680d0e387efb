"""A market of its own for each test: drives `Engine.apply` and checks every invariant each time."""

from collections.abc import Iterable
from typing import Any

from matching.engine import Engine
from matching.protocol.commands import (
    Advance,
    AmendOrder,
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
from matching.protocol.events import AnyEvent, Filled, OrderAccepted, Refused
from matching.protocol.queries import (
    Balances,
    Book,
    GetBalances,
    GetBook,
    GetOpenOrders,
    OpenOrders,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    TIME_NS_MAX,
    AccountKind,
    InstrumentClass,
    OrderKind,
    Phase,
    Side,
    TimeInForce,
)

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
NOON_NS = 1_790_000_000 * 10**9
GOLD, SHARES = 1, 2
XAU, ACME, KRW = 11, 12, 99
REVENUE, ALICE, BOB, CAROL, ALICE_TOO = 1, 2, 3, 4, 5
FUNDS = 1_000_000
BOTH = InstrumentClass.METAL | InstrumentClass.SECURITY

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK, DAY = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY
LIMIT, MARKET = OrderKind.LIMIT, OrderKind.MARKET


def gold(**changes: Any) -> DefineInstrument:
    """Gold: 100 base units a lot, 10 quote units a tick and lot, no fees, no band."""
    rules: dict[str, Any] = {"quantity_lots_max": 1_000, **changes}
    return DefineInstrument(GOLD, XAU, KRW, 100, 10, InstrumentClass.METAL, **rules)


def shares(**changes: Any) -> DefineInstrument:
    """Shares: one base unit a lot, one quote unit a tick and lot."""
    rules: dict[str, Any] = {"quantity_lots_max": 1_000, **changes}
    return DefineInstrument(SHARES, ACME, KRW, 1, 1, InstrumentClass.SECURITY, **rules)


def order(account: int, side: Side, price_ticks: int, lots: int, /, **changes: Any) -> PlaceOrder:
    """A limit order for gold, good till cancelled, its client order id made of its content."""
    content = {
        "account": account,
        "client_order_id": f"{account}-{side}-{price_ticks}-{lots}",
        "instrument": GOLD,
        "side": side,
        "kind": LIMIT,
        "time_in_force": GTC,
        "price_ticks": price_ticks,
        "quantity_lots": lots,
    }
    return PlaceOrder(**{**content, **changes})


def opening() -> list[AnyCommand]:
    """What opens the market: ALICE and ALICE_TOO are one holder, everybody has FUNDS of all."""
    commands: list[AnyCommand] = [OpenAccount(REVENUE, 900, AccountKind.REVENUE), gold(), shares()]
    for account, holder in ((ALICE, 100), (BOB, 101), (CAROL, 102), (ALICE_TOO, 100)):
        commands.append(OpenAccount(account, holder))
        commands += [
            Credit(account, asset, FUNDS, f"in-{account}-{asset}") for asset in (XAU, ACME, KRW)
        ]
    commands += [SetEligibility(holder, 1, BOTH) for holder in (100, 101, 102)]
    commands += [SetPhase(GOLD, Phase.CONTINUOUS), SetPhase(SHARES, Phase.CONTINUOUS)]
    return commands


class Market:
    """An engine and the log of what it was given."""

    def __init__(self, commands: Iterable[AnyCommand] = ()) -> None:
        self.engine = Engine()
        self.log: list[Sequenced] = []
        self.time_ns = NOON_NS
        self._names = 0
        for command in commands:
            self.do(command)

    def do(self, command: AnyCommand, after_ns: int = 1) -> tuple[AnyEvent, ...]:
        """Apply the next command and assert that every invariant holds."""
        self.time_ns += after_ns
        sequenced = Sequenced(self.engine.sequence + 1, self.time_ns, command)
        self.log.append(sequenced)
        applied = self.engine.apply(sequenced)
        self.engine._check()
        assert (applied.sequence, applied.time_ns) == (sequenced.sequence, sequenced.time_ns)
        return applied.events

    def place(
        self, account: int, side: Side, price_ticks: int, lots: int, /, **changes: Any
    ) -> tuple[AnyEvent, ...]:
        """Place an order under a client order id of its own."""
        self._names += 1
        changes.setdefault("client_order_id", f"order-{self._names}")
        return self.do(order(account, side, price_ticks, lots, **changes))

    def rest(self, account: int, side: Side, price_ticks: int, lots: int, /, **changes: Any) -> int:
        """Place an order that rests whole and return its id."""
        events = self.place(account, side, price_ticks, lots, **changes)
        assert [type(event) for event in events] == [OrderAccepted]
        assert isinstance(events[0], OrderAccepted)
        return events[0].order_id

    def cancel(self, account: int, order_id: int) -> tuple[AnyEvent, ...]:
        return self.do(CancelOrder(account, order_id))

    def amend(
        self, account: int, order_id: int, price_ticks: int, lots: int
    ) -> tuple[AnyEvent, ...]:
        return self.do(AmendOrder(account, order_id, price_ticks, lots))

    def advance(self, draw: int = 0) -> tuple[AnyEvent, ...]:
        """Let the clock come to what is due next, and do it."""
        due_ns = self.engine.due_ns
        assert due_ns < TIME_NS_MAX, "nothing is due"
        return self.do(Advance(draw), max(due_ns - self.time_ns, 1))

    def phase(self, phase: Phase, ends_in_ns: int = 0) -> tuple[AnyEvent, ...]:
        """Set the phase of gold, ending by itself after so long unless 0."""
        ends_at_ns = self.time_ns + 1 + ends_in_ns if ends_in_ns else 0
        return self.do(SetPhase(GOLD, phase, 0, ends_at_ns))

    def refuses(self, command: AnyCommand, code: Refusal) -> None:
        """Assert that a command is refused with this code and changes nothing."""
        before = self.engine.state_hash()
        (event,) = self.do(command)
        assert isinstance(event, Refused), event
        assert event.code == code, event
        assert event.detail
        assert self.engine.state_hash() == before

    def balances(self, account: int) -> dict[int, tuple[int, int]]:
        """Return (available, held) per asset."""
        reply = self.engine.answer(GetBalances(account))
        assert isinstance(reply, Balances)
        return {each.asset: (each.available_units, each.held_units) for each in reply.balances}

    def gained(self, account: int) -> dict[int, int]:
        """Return how far each asset's total stands from the FUNDS of the opening."""
        totals = {asset: sum(parts) for asset, parts in self.balances(account).items()}
        return {
            asset: totals.get(asset, 0) - FUNDS
            for asset in (XAU, ACME, KRW)
            if totals.get(asset, 0) != FUNDS
        }

    def open_orders(self) -> dict[int, int]:
        """Return the open lots of every resting order."""
        reply = self.engine.answer(GetOpenOrders())
        assert isinstance(reply, OpenOrders)
        return {each.order_id: each.remaining_lots for each in reply.orders}

    def book(self, instrument: int = GOLD, depth: int = 0) -> Book:
        reply = self.engine.answer(GetBook(instrument, depth))
        assert isinstance(reply, Book)
        return reply


def fills(events: Iterable[AnyEvent]) -> list[tuple[int, int, int]]:
    """Return (maker order, price, lots) of the fills among events."""
    return [
        (event.maker_order_id, event.price_ticks, event.quantity_lots)
        for event in events
        if isinstance(event, Filled)
    ]

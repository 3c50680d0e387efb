"""What the other bodies send: units that come, go and change hands, routes, corporate actions."""

from random import Random
from typing import TypeVar

from msgspec.structs import replace

from matching.protocol.commands import (
    AllocateCash,
    Charge,
    CompensateFill,
    Convert,
    Credit,
    Debit,
    FillRoute,
    HoldRoute,
    Referenced,
    ReleaseRoute,
    SplitHoldings,
    Transfer,
)
from matching.protocol.units import Side
from tests.matching.oracle.records import Place, Route, State
from tests.matching.oracle.venue import (
    ASSETS,
    BOND,
    IDLE,
    KRW,
    MEMBERS,
    MIRRORS,
    POOR,
    REVENUE,
    UNKNOWN,
    USD,
)

Sent = TypeVar("Sent", bound=Referenced)


class Bodies:
    """Draws commands that have a reference; now and then one that was sent before."""

    def __init__(self, random: Random, state: State) -> None:
        self.random = random
        self.state = state
        self.sent: list[Referenced] = []

    def _reference(self) -> str:
        return "no reference" if self.random.random() < 0.01 else f"r/{self.state.sequence}"

    def _send(self, command: Sent) -> Referenced:
        chance = self.random.random()
        if self.sent and chance < 0.04:
            return self.random.choice(self.sent[-20:])
        if self.sent and chance < 0.06:
            return replace(command, reference=self.random.choice(self.sent).reference)
        self.sent.append(command)
        return command

    def _account(self) -> int:
        odd = (REVENUE, UNKNOWN, *MIRRORS)
        return self.random.choice(odd if self.random.random() < 0.05 else tuple(MEMBERS))

    def _units(self) -> int:
        return self.random.choice((0, 1, 50, 700, 9_000, 40_000, 2**40, 2**63 - 1))

    def credit(self) -> Referenced:
        asset = self.random.choice((*ASSETS, 0, KRW))
        account = self._account()
        units = 700 if account in POOR else self.random.choice((9_000, 90_000, self._units()))
        return self._send(Credit(account, asset, units, self._reference()))

    def debit(self) -> Referenced:
        asset = self.random.choice(ASSETS)
        charges = tuple(
            Charge(self.random.choice(("fee", "vat", "tax", "")), self.random.choice(ASSETS), 5)
            for _ in range(self.random.choice((0, 0, 0, 1, 2, 5)))
        )
        units = self._units()
        return self._send(Debit(self._account(), asset, units, self._reference(), charges))

    def transfer(self) -> Referenced:
        asset = self.random.choice(ASSETS)
        giver, taker = self._account(), self._account()
        return self._send(Transfer(giver, taker, asset, self._units(), self._reference()))

    def convert(self) -> Referenced:
        sold, bought = self.random.choice(((KRW, USD), (USD, KRW), (USD, KRW), (KRW, KRW)))
        provider = self.random.choice((*MIRRORS, *MIRRORS, self._account()))
        units = (self._units(), self._units())
        return self._send(
            Convert(self._account(), provider, sold, units[0], bought, units[1], self._reference())
        )

    def allocate_cash(self) -> Referenced:
        inward = self.random.random() < 0.5
        segment = self.random.choice((0, 1, 2))
        asset = self.random.choice((KRW, USD))
        return self._send(
            AllocateCash(self._account(), asset, self._units(), segment, inward, self._reference())
        )

    def split_holdings(self) -> Referenced:
        asset = self.random.choice((BOND, IDLE, IDLE, *ASSETS))
        ratio = self.random.choice(((2, 1), (1, 2), (3, 7), (10, 9), (1, 1), (0, 1), (1000, 1)))
        return self._send(SplitHoldings(asset, *ratio, self._reference()))

    def hold_route(self) -> Referenced:
        """Draw a route of an open order, or of an account's own."""
        random = self.random
        found = [
            (market.number, order)
            for market in self.state.markets
            for order in market.orders
            if order.place is Place.LEVELS or random.random() < 0.1
        ]
        fee_ppm = random.choice((0, 1_000, 30_000, 30_000, -1))
        if found and random.random() < 0.6:
            instrument, order = random.choice(found)
            lots = random.randrange(1, order.lots + 2)
            price = order.price + random.choice((0, 0, 1, -1))
            account, side, number = order.account.number, order.side, order.number
        else:
            instrument, lots = random.choice((1, 2, 3, 4, 5, 9)), random.randrange(20)
            price = random.randrange(90, 110)
            account, side = self._account(), random.choice(list(Side))
            number = random.choice((0, 0, 0, 0, 5))
        return self._send(
            HoldRoute(account, number, instrument, side, price, lots, fee_ppm, self._reference())
        )

    def _route(self) -> Route | None:
        return self.random.choice(self.state.routes) if self.state.routes else None

    def release_route(self) -> Referenced:
        route = self._route()
        if route is None or self.random.random() < 0.1:
            return self._send(ReleaseRoute("r/1", 1, self._reference()))
        lots = self.random.choice((0, 0, 1, route.lots, route.lots + 1, -1))
        return self._send(ReleaseRoute(route.command.reference, lots, self._reference()))

    def fill_route(self) -> Referenced:
        route, random = self._route(), self.random
        mirror = random.choice((*MIRRORS, *MIRRORS, *MIRRORS, self._account()))
        if route is None or random.random() < 0.1:
            return self._send(FillRoute("r/1", mirror, 100, 1, 0, self._reference()))
        held = route.command
        better = -1 if held.side is Side.BUY else 1
        price = held.price_ticks + better * random.choice((0, 0, 0, 1, 3, -1))
        price = random.choice((price,) * 20 + (0, 2**41))
        lots = random.choice((1, route.lots, random.randrange(route.lots + 2)))
        fee_units = random.choice((0, 0, 1, 3, 10, -1))
        return self._send(
            FillRoute(held.reference, mirror, price, lots, fee_units, self._reference())
        )

    def compensate_fill(self) -> Referenced:
        random = self.random
        instrument = random.choice((1, 2, 3, 4, 5, 6, 9))
        price = random.choice((100, 95, 103, 0, 2**40))
        lots = random.choice((1, 2, 5, 0, 200, 2**40))
        buyer, seller = self._account(), self._account()
        fill_id = random.randrange(self.state.fills + 2)
        if self.state.compensated and random.random() < 0.1:
            fill_id = random.choice(self.state.compensated)
        return self._send(
            CompensateFill(fill_id, instrument, buyer, seller, price, lots, self._reference())
        )

"""Random but repeatable flows of orders through a real engine, as followers receive them."""

import random

from matching.engine import Engine
from matching.protocol.codec import StreamEntry
from matching.protocol.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelOrder,
    Credit,
    DefineInstrument,
    OpenAccount,
    PlaceOrder,
    Sequenced,
    SetEligibility,
    SetPhase,
)
from matching.protocol.events import Applied, OrderAccepted
from matching.protocol.units import (
    AccountKind,
    OrderKind,
    Phase,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

ACCOUNTS = range(1000, 1008)
START_NS = 1_790_000_000_000_000_000
STEP_NS = 1_000_000


class Flow:
    """An engine with two markets and eight members, and all it has applied."""

    def __init__(self, seed: int) -> None:
        self.engine = Engine()
        self.applied: list[Applied] = []
        self._random = random.Random(seed)
        self._orders: list[tuple[int, int]] = []
        for instrument, (base, quote_units) in {1: (2, 1_000), 2: (3, 10_000)}.items():
            self.send(
                DefineInstrument(instrument, base, 1, 10, quote_units, 1, 500, 0, 0, -100, 300)
            )
        self.send(OpenAccount(2, 2, AccountKind.REVENUE))
        for account in ACCOUNTS:
            # Two accounts a holder, so that self-trade prevention has something to do.
            self.send(OpenAccount(account, 100 + account // 2))
            self.send(SetEligibility(100 + account // 2, account, 1))
            for asset in (1, 2, 3):
                self.send(Credit(account, asset, 10**12, f"start:{account}:{asset}"))
        for instrument in (1, 2):
            self.send(SetPhase(instrument, Phase.CONTINUOUS))

    def send(self, command: AnyCommand) -> Applied:
        sequence = self.engine.sequence + 1
        applied = self.engine.apply(Sequenced(sequence, START_NS + sequence * STEP_NS, command))
        self.applied.append(applied)
        return applied

    def run(self, count: int) -> "Flow":
        """Send so many random commands, most of them orders near one price."""
        draw = self._random
        for number in range(count):
            account, kind = draw.choice(ACCOUNTS), draw.random()
            if kind < 0.8 or not self._orders:
                applied = self.send(self._order(account, number))
                first = applied.events[0]
                if isinstance(first, OrderAccepted):
                    self._orders.append((account, first.order_id))
            elif kind < 0.9:
                owner, order_id = draw.choice(self._orders[-50:])
                price, lots = draw.randint(90, 110), draw.randint(1, 20)
                self.send(AmendOrder(owner, order_id, price, lots))
            elif kind < 0.99:
                self.send(CancelOrder(*draw.choice(self._orders[-50:])))
            else:
                self.send(CancelAll(account, draw.choice((0, 1, 2))))
        return self

    def _order(self, account: int, number: int) -> PlaceOrder:
        draw = self._random
        market = draw.random() < 0.05
        return PlaceOrder(
            account=account,
            client_order_id=f"flow-{number}",
            instrument=draw.choice((1, 2)),
            side=draw.choice(list(Side)),
            kind=OrderKind.MARKET if market else OrderKind.LIMIT,
            time_in_force=TimeInForce.IOC
            if market
            else draw.choices(
                (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK), weights=(8, 1, 1)
            )[0],
            price_ticks=0 if market else draw.randint(90, 110),
            quantity_lots=draw.randint(1, 20),
            self_trade_prevention=draw.choice(list(SelfTradePrevention)),
        )


def entries_of(applied: list[Applied], size: int) -> list[StreamEntry]:
    """Cut what was applied into entries of so many commands."""
    return [
        StreamEntry(applied[start].sequence - 1, tuple(applied[start : start + size]))
        for start in range(0, len(applied), size)
    ]

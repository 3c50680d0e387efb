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
    OrderTerms,
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
CONTINUOUS = (Phase.CONTINUOUS, Phase.CONTINUOUS_24H)
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
                DefineInstrument(
                    instrument,
                    base,
                    1,
                    10,
                    quote_units,
                    1,
                    500,
                    maker_fee_ppm=-100,
                    taker_fee_ppm=300,
                    base_price_ticks=100,
                    dynamic_ppm=80_000,
                    volatility_auction_ns=50 * STEP_NS,
                )
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
            self._phase_move()
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

    def _phase_move(self) -> None:
        """Now and then leave continuous trading, and soon come back to it."""
        draw = self._random
        if draw.random() < 0.01:
            self.send(SetPhase(draw.choice((1, 2)), draw.choice(list(Phase))))
        elif draw.random() < 0.05:
            self.send(SetPhase(draw.choice((1, 2)), draw.choice(CONTINUOUS)))

    def _order(self, account: int, number: int) -> PlaceOrder:
        return (
            self._special(account, number)
            if self._random.random() < 0.3
            else self._plain(account, number)
        )

    def _special(self, account: int, number: int) -> PlaceOrder:
        """Draw an order of any kind; many are refused."""
        draw = self._random
        kind, force = draw.choice(list(OrderKind)), draw.choice(list(TimeInForce))
        if draw.random() < 0.7:
            force = TimeInForce.DAY if kind is OrderKind.CONDITIONAL_LIMIT else TimeInForce.GTC
        limited = kind in (
            OrderKind.LIMIT,
            OrderKind.STOP_LIMIT,
            OrderKind.CONDITIONAL_LIMIT,
            OrderKind.MIDPOINT,
        )
        lots = draw.randint(1, 40)
        iceberg = kind is OrderKind.LIMIT and draw.random() < 0.7
        terms = OrderTerms(
            stop_price_ticks=draw.randint(95, 105)
            if kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
            else 0,
            trail_ticks=draw.randint(1, 5) if kind is OrderKind.TRAILING_STOP else 0,
            display_lots=draw.randint(1, lots) if iceberg else 0,
            expires_at_ns=START_NS + 10**15 if force is TimeInForce.GTD else 0,
            tag=draw.choice(("", "a")),
        )
        return PlaceOrder(
            account=account,
            client_order_id=f"special-{self.engine.sequence}-{number}",
            instrument=draw.choice((1, 2)),
            side=draw.choice(list(Side)),
            kind=kind,
            time_in_force=force,
            price_ticks=draw.randint(90, 110) if limited else 0,
            quantity_lots=lots,
            self_trade_prevention=draw.choice(list(SelfTradePrevention)),
            terms=None if terms == OrderTerms() else terms,
        )

    def _plain(self, account: int, number: int) -> PlaceOrder:
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

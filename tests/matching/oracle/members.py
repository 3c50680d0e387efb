"""What members send: orders of every kind, amends and cancels."""

from random import Random

from msgspec.structs import replace

from matching.protocol.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    OrderTerms,
    PlaceOrder,
)
from matching.protocol.units import (
    ICEBERG_PARTS_MAX,
    Medium,
    OrderKind,
    Phase,
    SelfTradePrevention,
    Side,
    TimeInForce,
    price_step_ticks,
)
from tests.matching.oracle.book import best, middle, standing
from tests.matching.oracle.checks import FORCES, LASTING, PRICED
from tests.matching.oracle.holdings import notional
from tests.matching.oracle.records import AUCTIONS, CONTINUOUS, Market, Order, Place, State
from tests.matching.oracle.venue import MEMBERS, MIRRORS, POOR, REVENUE, SECOND_NS, UNKNOWN

CROWDED = 16
ODD_LOTS = (0, -1, 401, 1_001, 2**40, 2**40 + 1)
ODD_PRICES = (0, -1, 1, 7, 1_000, 2**40, 2**40 + 1)
RESTING = (OrderKind.LIMIT, OrderKind.TOP_PRIORITY_LIMIT)
TRADING = (OrderKind.LIMIT, OrderKind.MARKET, OrderKind.BEST_LIMIT)
TAGS = ("", "", "a", "b")
IN_CONTINUOUS = (50, 12, 6, 6, 5, 4, 4, 4, 9)
IN_AUCTIONS = (55, 14, 6, 6, 4, 8, 2, 2, 3)


class Members:
    """Draws the commands of members."""

    def __init__(self, random: Random, state: State) -> None:
        self.random = random
        self.state = state
        self.placed: list[PlaceOrder] = []

    def place(self) -> PlaceOrder:
        """Draw an order; now and then one that was sent before."""
        if self.placed and self.random.random() < 0.02:
            return self._again()
        market = self._market()
        if self.random.random() < (0.5 if len(market.orders) > CROWDED else 0.05):
            command = self._sweep(market)
        else:
            command = self._pair(market) or self._at_own_best(market) or self._order(market)
        self.placed.append(command)
        return command

    def amend(self) -> AmendOrder:
        order = self._open_order()
        if order is None or self.random.random() < 0.05:
            number = self.random.randrange(1, self.state.sequence + 9)
            return AmendOrder(self._account(), number, 100, 1)
        stop = 0
        chance = self.random.random()
        price, lots = order.price, max(1, order.lots - self.random.randrange(5))
        market = self._market_of(order)
        if chance > 0.35 and order.price:
            price = self._price(market, order.side)
        if chance > 0.7:
            lots = self._lots()
            terms = order.accepted.terms
            if terms and terms.display_lots and chance > 0.98:
                lots = terms.display_lots * ICEBERG_PARTS_MAX + self.random.randrange(2)
        if order.waits_for_stop and self.random.random() < 0.6:
            stop = self._stop(market, order.side)
        if self.random.random() < 0.05:
            price, stop = self.random.choice(ODD_PRICES), self.random.choice((0, 0, 90, -1))
        return AmendOrder(order.account.number, order.number, price, lots, stop)

    def cancel(self) -> CancelOrder:
        order = self._open_order()
        if order is None or self.random.random() < 0.1:
            name = self.random.choice(("", "c1", "no such", "c2"))
            return CancelOrder(self._account(), self.random.choice((0, 1, 2**40)), name)
        if self.random.random() < 0.3:
            return CancelOrder(order.account.number, 0, order.accepted.client_order_id)
        return CancelOrder(order.account.number, order.number)

    def cancel_all(self) -> CancelAll:
        chance = self.random.random()
        account = 0 if chance < 0.2 else self._account()
        instrument = self.random.choice((0, 0, 1, 2, 3, 4, 5, 9))
        side = self.random.choice((0, 0, 1, 2, 1, 2, 3))
        return CancelAll(account, instrument, side, self.random.choice((*TAGS, "b", "a a")))

    def _again(self) -> PlaceOrder:
        command = self.random.choice(self.placed[-30:])
        if self.random.random() < 0.3:
            return replace(command, quantity_lots=command.quantity_lots + 1)
        return command

    def _sweep(self, market: Market) -> PlaceOrder:
        """Draw an order that takes a good part of a book."""
        drawn = self._order(market)
        lots = self.random.randrange(10, 60)
        kind, force = OrderKind.MARKET, TimeInForce.IOC
        if market.phase not in CONTINUOUS:
            force = TimeInForce.DAY
        poor = self.random.random() < 0.5
        return replace(
            drawn,
            account=self.random.choice(POOR) if poor else drawn.account,
            kind=kind,
            time_in_force=force,
            price_ticks=0,
            quantity_lots=lots,
            post_only=False,
            terms=None,
        )

    def _order(self, market: Market) -> PlaceOrder:
        weights = IN_AUCTIONS if market.phase in AUCTIONS else IN_CONTINUOUS
        (kind,) = self.random.choices(list(OrderKind), weights)
        side = self.random.choice(list(Side))
        force = self._force(market, kind)
        lots = self._lots()
        priced = kind in PRICED or self.random.random() < 0.02
        terms = self._terms(market, kind, side, force, lots)
        poor = kind is OrderKind.MARKET and self.random.random() < 0.4
        return PlaceOrder(
            self.random.choice(POOR) if poor else self._account(),
            self._name(),
            market.number,
            side,
            kind,
            force,
            self._price(market, side) if priced else 0,
            lots,
            kind in RESTING and force in LASTING and self.random.random() < 0.12,
            self.random.choice(list(SelfTradePrevention)),
            self.random.choice(list(Medium)),
            None if terms == OrderTerms() else terms,
        )

    def _force(self, market: Market, kind: OrderKind) -> TimeInForce:
        """Draw a time in force, mostly one that kind and phase allow."""
        if self.random.random() < 0.02:
            return self.random.choice(list(TimeInForce))
        opening = market.phase is Phase.OPENING_AUCTION
        foreign = (TimeInForce.AT_THE_OPEN, TimeInForce.DAY)[: 1 + (kind is OrderKind.MARKET)]
        if market.phase in AUCTIONS:
            foreign = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.AT_THE_OPEN)[: 3 - opening]
        fitting = [force for force in FORCES[kind] if force not in foreign]
        if not fitting or self.random.random() < 0.03:
            return self.random.choice(FORCES[kind])
        return self.random.choice(fitting)

    def _terms(
        self, market: Market, kind: OrderKind, side: Side, force: TimeInForce, lots: int
    ) -> OrderTerms:
        chance = self.random.random
        small = self.random.randrange(1, max(2, lots))
        fields: dict[str, object] = {"tag": self.random.choice(TAGS)}
        if kind in (OrderKind.STOP, OrderKind.STOP_LIMIT):
            fields["stop_price_ticks"] = self._stop(market, side)
        if kind is OrderKind.TRAILING_STOP:
            fields["trail_ticks"] = self.random.choice((1, 1, 2, 3, 5, 120))
        if force is TimeInForce.GTD:
            later = self.random.choice((-1, SECOND_NS // 10, SECOND_NS, 10 * SECOND_NS))
            fields["expires_at_ns"] = self.state.now_ns + later
        if kind is OrderKind.LIMIT and force in LASTING and chance() < 0.25:
            fields["display_lots"] = small
        elif kind in TRADING and force in (*LASTING, TimeInForce.IOC) and chance() < 0.08:
            fields["minimum_lots"] = small
        buys_now = kind is OrderKind.MARKET and force is TimeInForce.IOC and side is Side.BUY
        if buys_now and "minimum_lots" not in fields and chance() < 0.5:
            fields["cash_units"] = self.random.randrange(1, 2 + notional(market, 100, max(1, lots)))
        if chance() < 0.02:
            name = self.random.choice(OrderTerms.__struct_fields__[:6])
            fields[name] = self.random.choice((-1, 1, 3, 2**63 - 1))
        if chance() < 0.01:
            fields[self.random.choice(("tag", "pair"))] = self.random.choice(("c1", "a b"))
        return OrderTerms(**fields)  # type: ignore[arg-type]

    def _pair(self, market: Market) -> PlaceOrder | None:
        """Draw an order that pairs with a stop that waits, if there is one."""
        waiting = [order for order in market.orders if order.waits_for_stop and not order.pair]
        if not waiting or self.random.random() < 0.8:
            return None
        stop = self.random.choice(waiting)
        odd = self.random.random() < 0.1
        return PlaceOrder(
            stop.account.number,
            self._name(),
            market.number,
            stop.side,
            OrderKind.LIMIT,
            self.random.choice(LASTING[:2]),
            self._price(market, stop.side),
            stop.lots + odd,
            self.random.random() < 0.2,
            self.random.choice(list(SelfTradePrevention)),
            terms=OrderTerms(pair=stop.accepted.client_order_id),
        )

    def _at_own_best(self, market: Market) -> PlaceOrder | None:
        """Draw the one buy at its own side's best that can trade whole: levels a tick apart."""
        price = middle(market)
        queue = standing(market, Side.SELL, Place.MIDPOINTS)
        meeting = [order for order in queue if order.price <= price]
        if not meeting or price != best(market, Side.BUY) or self.random.random() < 0.5:
            return None
        kind, force = OrderKind.TOP_PRIORITY_LIMIT, TimeInForce.FOK
        account, name = self._account(), self._name()
        return PlaceOrder(account, name, market.number, Side.BUY, kind, force, 0, 1)

    def _market(self) -> Market:
        """Draw an instrument, mostly one that trades."""
        trading = [
            market
            for market in self.state.markets
            if market.phase not in (Phase.CLOSED, Phase.HALTED)
            and not market.killed
            and market.number != 6
        ]
        if not trading or self.random.random() < 0.07:
            return self.random.choice(self.state.markets)
        return self.random.choice(trading)

    def _market_of(self, order: Order) -> Market:
        return next(market for market in self.state.markets if order in market.orders)

    def _open_order(self) -> Order | None:
        found = [order for market in self.state.markets for order in market.orders]
        return self.random.choice(found) if found else None

    def _account(self) -> int:
        """Draw an account, mostly a member that may trade."""
        if self.random.random() < 0.02:
            return self.random.choice((REVENUE, *MIRRORS, UNKNOWN))
        able = [
            account.number
            for account in self.state.accounts
            if account.number in MEMBERS and not account.killed and not account.holder.frozen
        ]
        return self.random.choice(able if able and self.random.random() < 0.9 else list(MEMBERS))

    def _name(self) -> str:
        return f"c{self.state.sequence}" if self.random.random() < 0.99 else "no name"

    def _lots(self) -> int:
        chance = self.random.random()
        if chance < 0.02:
            return self.random.choice(ODD_LOTS)
        return self.random.randrange(1, 15 if chance < 0.95 else 150)

    def _price(self, market: Market, side: Side) -> int:
        """Draw a price near the reference, mostly on its step and in the band."""
        if self.random.random() < 0.015:
            return self.random.choice(ODD_PRICES)
        away = self.random.choice((0, 0, 1, 1, 2, 2, 3, 4, 6, 9, -1, -1, -2, -3, -5, -8))
        price = max(1, (market.reference or 100) + (-away if side is Side.BUY else away))
        step = price_step_ticks(market.definition.tick_table, price)
        return price if self.random.random() < 0.01 else max(step, price - price % step)

    def _stop(self, market: Market, side: Side) -> int:
        away = self.random.choice((1, 1, 2, 2, 3, 5, 9, -1))
        price = max(1, (market.reference or 100) + (away if side is Side.BUY else -away))
        step = price_step_ticks(market.definition.tick_table, price)
        up = side is Side.BUY and price % step > 0
        return max(step, price - price % step + step * up)

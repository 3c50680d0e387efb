"""How an order takes in a continuous phase: from midpoint orders, then from the levels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from matching.protocol.units import (
    PARTS_PER_MILLION,
    Allocation,
    CancelReason,
    FillKind,
    Interruption,
    OrderKind,
    Side,
)
from tests.matching.oracle.book import (
    best,
    end,
    end_pair,
    level,
    meets,
    middle,
    midpoints_meeting,
    opposite,
    passed_bound,
    replenish,
    standing,
)
from tests.matching.oracle.fills import OLDEST, fill, prevent
from tests.matching.oracle.holdings import available, fee, notional, rates
from tests.matching.oracle.records import Market, Order, Place, State


@dataclass(eq=False)
class Taking:
    """One order while it takes.

    `cash` is what is left of an amount of cash to spend. `reference` is that of the beginning;
    `passed` says which bound around which price the next fill would have passed, and at what price.
    """

    state: State
    market: Market
    order: Order
    by_cash: bool
    cash: int | None
    taker_ppm: int
    reference: int
    passed: tuple[Interruption, int, int] | None = None

    @property
    def limit(self) -> int:
        return self.order.price or self.order.cap

    @property
    def goes_on(self) -> bool:
        return not self.order.closed and self.passed is None

    def bound(self) -> int:
        """Return the cash that may be spent now."""
        cash = available(self.state, self.order.account, self.market.definition.quote_asset)
        return cash if self.cash is None else min(cash, self.cash)

    def payable(self, price: int, lots: int) -> int:
        """Return how many of so many lots can be paid in one fill."""
        if not self.by_cash:
            return lots
        return min(lots, payable(self.market, price, self.bound(), self.taker_ppm))


def payable(market: Market, price: int, cash: int, ppm: int) -> int:
    """Return the most lots whose price and fee the cash covers.

    n + floor(n r / 10^6) <= c is n (10^6 + r) <= (c + 1) 10^6 - 1 for integers.
    """
    quote = ((cash + 1) * PARTS_PER_MILLION - 1) // (PARTS_PER_MILLION + ppm)
    return quote // notional(market, price, 1)


def begin(state: State, market: Market, order: Order, by_cash: bool) -> Taking:
    terms = order.accepted.terms
    cash = terms.cash_units if terms is not None and terms.cash_units else None
    taker_ppm = rates(market, order.account.holder)[1]
    return Taking(state, market, order, by_cash, cash, taker_ppm, market.reference)


def take(this: Taking) -> None:
    """Trade with all that the order may meet, until it is used up, ended or interrupted."""
    market, side = this.market, this.order.side
    while this.goes_on and midpoints(this):
        meet_by_time(this, middle(market), partial(midpoints, this), FillKind.MIDPOINT)
    while this.goes_on and this.order.kind is not OrderKind.MIDPOINT:
        price = best(market, opposite(side))
        if not price or not meets(side, this.limit, price):
            return
        passed = passed_bound(market, price, this.reference, market.definition.dynamic_ppm)
        if passed is not None and this.payable(price, 1):
            this.passed = (*passed, price)
        elif passed is not None:
            _end_for_cash(this)
        elif market.definition.allocation is Allocation.PRO_RATA:
            meet_by_share(this, price)
        else:
            queue = partial(level, market, opposite(side), price)
            meet_by_time(this, price, queue, FillKind.CONTINUOUS)


def midpoints(this: Taking) -> list[Order]:
    """Return the midpoint orders that the order may meet, the best limit first."""
    market, side = this.market, this.order.side
    price, other = middle(market), best(market, opposite(side))
    better = price < other if side is Side.BUY else price > other
    better = better or this.order.kind is OrderKind.MIDPOINT
    if not price or not better or not meets(side, this.limit, price):
        return []
    if passed_bound(market, price, this.reference, market.definition.dynamic_ppm):
        return []
    return midpoints_meeting(market, opposite(side), price)


def meet_by_time(
    this: Taking, price: int, queue: Callable[[], list[Order]], kind: FillKind
) -> None:
    """Take at one price, in the order of the queue, what can be paid; an own order first is met."""
    if _own(this, queue()[0]):
        _prevent(this, queue()[0])
        return
    lots = this.payable(price, this.order.lots)
    if not lots:
        _end_for_cash(this)
        return
    while lots and queue() and not _own(this, queue()[0]):
        maker = queue()[0]
        traded = min(lots, maker.shown)
        _fill(this, maker, price, traded, kind)
        lots -= traded


def meet_by_share(this: Taking, price: int) -> None:
    """Give every order of a level its share of one round; an own order is met before that."""
    queue = level(this.market, opposite(this.order.side), price)
    for maker in queue:
        if _own(this, maker):
            _prevent(this, maker)
            return
    shown = sum(maker.shown for maker in queue)
    lots = this.payable(price, min(this.order.lots, shown))
    if not lots:
        _end_for_cash(this)
        return
    shares = [lots * maker.shown // shown for maker in queue]
    for index, maker in enumerate(queue):
        shares[index] += min(lots - sum(shares), maker.shown - shares[index])
    for maker, share in zip(queue, shares, strict=True):
        if share:
            _fill(this, maker, price, share, FillKind.CONTINUOUS)


def fillable(this: Taking) -> tuple[int, bool]:
    """Return how many lots the order would take, and whether it is cash that ends it.

    An own order in the way ends the count, before cash does at its price, unless the older one is
    to be cancelled. Each price counts as one fill: no other division of it costs more.
    """
    market = this.market
    wanted, cash = this.order.lots, this.bound()
    skips_own = this.order.accepted.self_trade_prevention is OLDEST
    for price, queue in _prices(this):
        own = [maker for maker in queue if _own(this, maker)]
        stops = bool(own) and not skips_own
        if stops:
            by_share = market.definition.allocation is Allocation.PRO_RATA
            at_once = by_share and own[0].place is Place.LEVELS
            queue = [] if at_once else queue[: queue.index(own[0])]
        offered = min(wanted, sum(maker.lots for maker in queue if maker not in own))
        if this.by_cash:
            paid = min(offered, payable(market, price, cash, this.taker_ppm))
            quote = notional(market, price, paid)
            cash -= quote + fee(quote, this.taker_ppm)
            if paid < offered:
                own_first = stops and offered < wanted
                return this.order.lots - wanted + paid, not own_first
        wanted -= offered
        if not wanted or stops:
            break
    return this.order.lots - wanted, False


def _prices(this: Taking) -> list[tuple[int, list[Order]]]:
    """Return the prices at which the order may trade, best first, with who is there."""
    market, side = this.market, this.order.side
    other = opposite(side)
    found = [(middle(market), midpoints(this))] if midpoints(this) else []
    prices = sorted({order.price for order in standing(market, other, Place.LEVELS)})
    for price in prices if side is Side.BUY else reversed(prices):
        bound = passed_bound(market, price, this.reference, market.definition.dynamic_ppm)
        if bound or not meets(side, this.limit, price):
            break
        found.append((price, level(market, other, price)))
    return found


def would_meet(this: Taking) -> bool:
    """Tell whether the order would meet another at once."""
    price = best(this.market, opposite(this.order.side))
    return bool(midpoints(this)) or (price > 0 and meets(this.order.side, this.limit, price))


def _own(this: Taking, maker: Order) -> bool:
    return maker.account.holder is this.order.account.holder


def _prevent(this: Taking, maker: Order) -> None:
    prevent(this.state, this.market, maker, this.order, min(this.order.lots, maker.lots))


def _end_for_cash(this: Taking) -> None:
    account = available(this.state, this.order.account, this.market.definition.quote_asset)
    spent = this.cash is not None and this.cash < account
    reason = CancelReason.CASH_SPENT if spent else CancelReason.INSUFFICIENT
    end(this.state, this.market, this.order, reason)


def _fill(this: Taking, maker: Order, price: int, lots: int, kind: FillKind) -> None:
    ppm = (maker.maker_ppm, this.taker_ppm)
    paid = fill(this.state, this.market, maker, this.order, price, lots, ppm, kind)
    if this.cash is not None:
        this.cash -= paid
    replenish(this.state, this.market, maker)
    end_pair(this.state, this.market, maker)

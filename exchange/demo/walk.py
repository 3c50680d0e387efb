"""Two years of trading: each month moves the prices, and the members trade around them over HTTP.

Metals follow their reference prices, shares their own last trade and a seeded drift. Every month
the base price moves there first, as if an auction had found it, and the band with it, by the
instrument's rules; then holders quote both sides and everybody trades.
What must not live here: how one order is checked and counted (session.py).
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from exchange.demo.market import Market
from exchange.demo.officers import ENROLMENT
from exchange.demo.session import Session
from exchange.demo.trader import Trader
from exchange.listings.defaults import BUILDING, EQUITY, base_prices
from exchange.listings.selectors import instruments
from exchange.listings.services import instrument_rebase
from exchange.listings.terms import InstrumentTerms
from exchange.listings.ticks import price_floor
from matching.client import engine
from matching.protocol.queries import GetInstruments, Instruments
from matching.protocol.units import price_step_ticks

CONNECTIONS = 8
QUOTES_A_SIDE = 4
ORDERS_A_MONTH = 4
# Of one order, in whole KRW.
VALUE_LOW, VALUE_HIGH = 200_000, 2_000_000
# Of a month's move of a share, in parts of a hundred.
DRIFT = range(-8, 11)
_PREVENTIONS = ("cancel_newest", "cancel_oldest", "cancel_both", "reduce_both")


@dataclass(frozen=True, slots=True)
class Spot:
    """A market in one month: `around` is the price, in ticks, that orders are placed about."""

    terms: InstrumentTerms
    around: int

    def price(self, levels: int) -> str:
        """Return the price so many levels, each about a thousandth, above or below."""
        table = self.terms.tick_table
        step = price_step_ticks(table, self.around)
        level = max(step, price_floor(((0, step),), self.around // 1000))
        return self.terms.tick.format(price_floor(table, self.around + levels * level))

    def lots(self, chance: random.Random) -> int:
        """Draw a quantity worth what one order is worth."""
        units: int = chance.randrange(VALUE_LOW, VALUE_HIGH) * 10**self.terms.quote.decimals
        return max(1, units // (self.around * self.terms.quote_units_per_tick_lot))


@dataclass
class Member:
    """A trader in the walk, with a chance of its own; `bought` are lots it surely has, by market.

    A holder (`quotes`) owns plenty of one market's asset and quotes it on both sides.
    """

    trader: Trader
    quotes: str | None
    chance: random.Random
    bought: dict[str, int] = field(default_factory=dict)


class Walk:
    """The members' way through the months; `path` is each market's last price, month by month."""

    def __init__(
        self, session: Session, quoted: Sequence[str | None], months: Sequence[str], seed: int
    ) -> None:
        """Let the session's traders, in order, quote these markets, through these months."""
        self.session, self.months = session, months
        self.members = [
            Member(trader, symbol, random.Random(f"{seed} {number}"))
            for number, (trader, symbol) in enumerate(zip(session.traders, quoted, strict=True))
        ]
        self.path: dict[str, list[Decimal]] = {}
        self._chance = random.Random(seed)
        self._pool = ThreadPoolExecutor(CONNECTIONS)

    def go(self, market: Market) -> None:
        """Trade through the months. Raises `Unexpected`."""
        with self._pool:
            for month in self.months:
                market.reopen()
                self._each(self._cancel)
                spots = self._rebase(month)
                self._each(partial(self._quote, spots))
                self._each(partial(self._trade, spots))
                for symbol, ticks in last_prices().items():
                    price = Decimal(spots[symbol].terms.tick.format(ticks))
                    self.path.setdefault(symbol, []).append(price)
            self._each(self._cancel)

    def _each(self, work: Callable[[Member], None]) -> None:
        for _ in self._pool.map(work, self.members):
            pass

    def _rebase(self, month: str) -> dict[str, Spot]:
        """Move every band to the month's prices, and return what orders are placed around."""
        references, last = base_prices(month), last_prices()
        spots = {}
        for symbol, terms in instruments(fresh=True).items():
            ticks = int(references[symbol] / Decimal(terms.tick.format(1)))
            if symbol in (EQUITY, BUILDING):
                ticks = (last.get(symbol) or ticks) * (100 + self._chance.choice(DRIFT)) // 100
            around = price_floor(terms.tick_table, ticks)
            instrument_rebase(instrument_id=terms.id, base_price_ticks=around, actor=ENROLMENT)
            spots[symbol] = Spot(terms, around)
        return spots

    def _cancel(self, member: Member) -> None:
        self.session.accept("cancel all", member.trader.cancel_all())

    def _quote(self, spots: Mapping[str, Spot], member: Member) -> None:
        if member.quotes is None:
            return
        spot = spots[member.quotes]
        for level in range(1, QUOTES_A_SIDE + 1):
            for side, sign in (("sell", 1), ("buy", -1)):
                self._place(
                    member,
                    spot,
                    spot.lots(member.chance),
                    side=side,
                    price=spot.price(sign * level),
                    post_only=member.chance.random() < 0.5,
                )

    def _trade(self, spots: Mapping[str, Spot], member: Member) -> None:
        for _ in range(ORDERS_A_MONTH):
            symbol = member.chance.choice(list(spots))
            spot = spots[symbol]
            lots = spot.lots(member.chance)
            owned = lots if member.quotes == symbol else member.bought.get(symbol, 0)
            if owned and member.chance.random() < 0.55:
                self._take(member, spot, min(lots, owned), "sell")
            elif member.chance.random() < 0.15:
                self._rest(member, spot, lots)
            else:
                self._take(member, spot, lots, "buy")

    def _take(self, member: Member, spot: Spot, lots: int, side: str) -> None:
        """Place an order that meets what holders quote, unless others were faster."""
        how = member.chance.choices(("gtc", "ioc", "fok", "market"), (45, 25, 12, 18))[0]
        reach = member.chance.randint(1, QUOTES_A_SIDE + 1) * (1 if side == "buy" else -1)
        fields: dict[str, Any] = (
            {"kind": "market"}
            if how == "market"
            else {"price": spot.price(reach), "time_in_force": how}
        )
        self._place(
            member,
            spot,
            lots,
            side=side,
            self_trade_prevention=member.chance.choice(_PREVENTIONS),
            may="fill_or_kill_unfillable" if how == "fok" else "",
            **fields,
        )

    def _rest(self, member: Member, spot: Spot, lots: int) -> None:
        """Place a bid behind the others, then amend or cancel it."""
        session, trader = self.session, member.trader
        price = spot.price(-QUOTES_A_SIDE - 2)
        order = self._place(member, spot, lots, side="buy", price=price)
        if member.chance.random() < 0.5:
            session.accept("cancel", trader.cancel(order["order_id"]))
            return
        price, quantity = spot.price(-QUOTES_A_SIDE - 1), spot.terms.lot.format(lots + 1)
        session.accept("amend", trader.amend(order["order_id"], price=price, quantity=quantity))

    def _place(self, member: Member, spot: Spot, lots: int, **fields: Any) -> dict[str, Any]:
        terms = spot.terms
        order = self.session.place(
            member.trader, instrument=terms.symbol, quantity=terms.lot.format(lots), **fields
        )
        if "order_id" in order:
            sold = fields["side"] == "sell"
            change = -lots if sold else terms.lot.parse(order["filled_quantity"]) or 0
            member.bought[terms.symbol] = member.bought.get(terms.symbol, 0) + change
        return order


def last_prices() -> dict[str, int]:
    """Return the last price of every market that has traded, in ticks, as the engine has it."""
    reply = engine().ask(GetInstruments())
    assert isinstance(reply, Instruments)
    last = {state.definition.instrument: state.last_price_ticks for state in reply.instruments}
    return {symbol: last[terms.id] for symbol, terms in instruments().items() if last[terms.id]}


def quoted_markets(members: int, symbols: Iterable[str]) -> list[str | None]:
    """Return what each of so many members quotes: two for each market, the others nothing."""
    twice = [symbol for symbol in symbols for _ in (1, 2)]
    assert len(twice) <= members, f"{len(twice)} holders needed, {members} members"
    return [*twice, *[None] * (members - len(twice))]

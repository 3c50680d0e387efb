"""What the crowd found once, or seldom meets; and that a difference is found and shrunk at all."""

from collections import Counter

import pytest
from msgspec.structs import replace

from matching.engine import Engine
from matching.protocol.commands import (
    AmendOrder,
    AnyCommand,
    OrderTerms,
    PlaceOrder,
    Sequenced,
    SetPhase,
)
from matching.protocol.events import Applied, OrderAmended
from matching.protocol.units import (
    Allocation,
    OrderKind,
    Phase,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from tests.matching.market import (
    ALICE,
    ALICE_TOO,
    BOB,
    BUY,
    GOLD,
    NOON_NS,
    SELL,
    gold,
    opening,
    order,
)
from tests.matching.oracle.comparison import agree
from tests.matching.oracle.test_agreement import compare

MIDPOINT, MARKET, IOC = OrderKind.MIDPOINT, OrderKind.MARKET, TimeInForce.IOC
FIRST = len(opening()) + 1
VOLATILE = gold(
    base_price_ticks=99, dynamic_ppm=40_000, static_ppm=90_000, volatility_auction_ns=10**9
)


def hidden(account: int, side: Side, price_ticks: int, lots: int) -> PlaceOrder:
    return order(account, side, price_ticks, lots, kind=MIDPOINT, client_order_id=f"m{account}")


def cash(account: int, lots: int, cash_units: int, prevention: SelfTradePrevention) -> PlaceOrder:
    """A market buy of an amount of cash."""
    return order(
        account,
        BUY,
        0,
        lots,
        kind=MARKET,
        time_in_force=IOC,
        self_trade_prevention=prevention,
        terms=OrderTerms(cash_units=cash_units),
    )


def conditional(account: int, side: Side, price_ticks: int, lots: int) -> PlaceOrder:
    kind, force = OrderKind.CONDITIONAL_LIMIT, TimeInForce.DAY
    return order(account, side, price_ticks, lots, kind=kind, time_in_force=force)


def stop(account: int, side: Side, stop_price_ticks: int, lots: int) -> PlaceOrder:
    terms = OrderTerms(stop_price_ticks=stop_price_ticks)
    return order(account, side, 0, lots, kind=OrderKind.STOP, terms=terms)


FOUND: dict[str, list[AnyCommand]] = {
    "a trade too far below the last price is kept back from a buyer too": [
        VOLATILE,
        order(ALICE, SELL, 94, 2),
        order(BOB, BUY, 99, 13),
    ],
    "the reference of an interruption is that of the order's beginning": [
        VOLATILE,
        order(ALICE, SELL, 100, 1),
        order(ALICE, SELL, 101, 1),
        order(ALICE, SELL, 103, 4),
        order(BOB, BUY, 103, 16),
    ],
    "an order at its own side's best meets the midpoint queue": [
        hidden(ALICE, SELL, 99, 11),
        order(ALICE, SELL, 100, 11),
        order(BOB, BUY, 99, 9),
        order(BOB, BUY, 99, 7),
    ],
    "a post-only order may not meet the midpoint queue": [
        order(ALICE, BUY, 90, 13),
        order(ALICE, SELL, 96, 11),
        hidden(ALICE, BUY, 96, 13),
        order(BOB, SELL, 93, 3, post_only=True),
    ],
    "an amended post-only order is no level to itself": [
        order(ALICE, BUY, 100, 4, post_only=True),
        hidden(BOB, SELL, 102, 7),
        order(BOB, SELL, 106, 3),
        AmendOrder(ALICE, FIRST, 103, 2),
    ],
    "cash ends in the midpoint queue": [
        hidden(BOB, SELL, 102, 8),
        order(ALICE, BUY, 101, 8),
        order(ALICE, SELL, 114, 3),
        cash(ALICE_TOO, 9, 1_565, SelfTradePrevention.REDUCE_BOTH),
    ],
    "an own order in a shared level comes before the end of cash": [
        gold(allocation=Allocation.PRO_RATA),
        order(BOB, SELL, 118, 8),
        order(ALICE, SELL, 118, 11),
        cash(ALICE_TOO, 1, 69, SelfTradePrevention.CANCEL_BOTH),
    ],
    "a conditional limit turns market once": [
        conditional(ALICE, SELL, 105, 11),
        SetPhase(GOLD, Phase.CLOSING_AUCTION),
        SetPhase(GOLD, Phase.HALTED),
        SetPhase(GOLD, Phase.CLOSING_AUCTION),
    ],
    "a stop that outlived a lower band takes up to the band of now": [
        gold(base_price_ticks=100, price_ticks_high=105),
        stop(BOB, BUY, 101, 3),
        gold(base_price_ticks=100, price_ticks_high=120),
        order(ALICE, SELL, 101, 1),
        order(ALICE, SELL, 110, 5),
        order(BOB, BUY, 101, 1),
    ],
    "a stop that waits is worth its stop when it is amended": [
        gold(base_price_ticks=100, price_ticks_high=120, notional_units_max=4_030),
        stop(BOB, BUY, 101, 3),
        AmendOrder(BOB, FIRST + 1, 0, 4),
    ],
    "a stop that waits no longer is worth the reference when it is amended": [
        replace(VOLATILE, price_ticks_high=120, notional_units_max=4_030),
        stop(BOB, BUY, 100, 3),
        order(ALICE, SELL, 101, 1),
        order(ALICE, SELL, 120, 3),
        order(BOB, BUY, 101, 1),
        AmendOrder(BOB, FIRST + 1, 0, 4),
    ],
    "an iceberg shows a hundredth at least": [
        order(ALICE, SELL, 100, 101, terms=OrderTerms(display_lots=1)),
        order(ALICE, SELL, 100, 100, terms=OrderTerms(display_lots=1)),
        AmendOrder(ALICE, FIRST + 1, 100, 101),
    ],
}


@pytest.mark.parametrize("commands", FOUND.values(), ids=FOUND)
def test_engine_agrees_with_the_oracle_where_it_once_did_not(commands: list[AnyCommand]) -> None:
    agree((NOON_NS, opening()[0]), *((1, command) for command in (*opening()[1:], *commands)))


class Careless(Engine):
    """An engine that says of every amend that it kept its place."""

    def apply(self, sequenced: Sequenced) -> Applied:
        applied = super().apply(sequenced)
        events = (
            replace(event, priority_kept=True) if isinstance(event, OrderAmended) else event
            for event in applied.events
        )
        return replace(applied, events=tuple(events))


def test_difference_is_shrunk_to_what_shows_it() -> None:
    with pytest.raises(pytest.fail.Exception) as failure:
        compare(0, Counter(), Careless)
    lines = str(failure.value).splitlines()
    assert lines[1:3] == ["seed 0: engine and oracle differ at the last command of", "agree("]
    commands = [line.split(", ", 1)[1] for line in lines if line.startswith("    (")]
    assert len(commands) < 10
    assert commands[-1].startswith("AmendOrder(")

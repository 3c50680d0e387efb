"""Units that move without an order: transfers, conversions, splits, routes, undone trades."""

from typing import Any

import pytest
from msgspec.structs import replace

from matching.protocol.commands import (
    AllocateCash,
    CancelAll,
    CompensateFill,
    Convert,
    Credit,
    FillRoute,
    HoldRoute,
    OpenAccount,
    ReleaseRoute,
    SetEligibility,
    SplitHoldings,
    Transfer,
)
from matching.protocol.events import (
    CashAllocated,
    Converted,
    FillCompensated,
    Filled,
    HoldingAdjusted,
    HoldingsSplit,
    OrderCancelled,
    OrderReduced,
    ReferenceRepeated,
    RouteFilled,
    RouteHeld,
    RouteReleased,
    Transferred,
)
from matching.protocol.queries import GetRoutes, Routes
from matching.protocol.refusals import Refusal
from matching.protocol.units import AccountKind, CancelReason, FillKind
from tests.matching.market import (
    ACME,
    ALICE,
    ALICE_TOO,
    BOB,
    BUY,
    CAROL,
    FUNDS,
    GOLD,
    KRW,
    REVENUE,
    SELL,
    SHARES,
    XAU,
    Market,
    opening,
)

MIRROR, USD = 9, 98


@pytest.fixture
def bridged() -> Market:
    """A market with the mirror account of a partner, which has gold, won and dollars."""
    market = Market(opening())
    market.do(OpenAccount(MIRROR, 500, AccountKind.MIRROR))
    for asset in (XAU, KRW, USD):
        market.do(Credit(MIRROR, asset, FUNDS, f"mirror-{asset}"))
    return market


def refused_unless(market: Market, command: Any, *cases: tuple[dict[str, Any], Refusal]) -> None:
    """Assert the refusal of a sound command changed in one way each."""
    for changes, code in cases:
        market.refuses(replace(command, **changes), code)


def test_transfer_is_applied_once(market: Market) -> None:
    command = Transfer(ALICE, BOB, KRW, 100, "t-1")
    refused_unless(
        market,
        command,
        ({"to_account": ALICE}, Refusal.MALFORMED),
        ({"amount_units": 0}, Refusal.MALFORMED),
        ({"reference": "no good"}, Refusal.MALFORMED),
        ({"to_account": 77}, Refusal.UNKNOWN_ACCOUNT),
        ({"to_account": REVENUE}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"amount_units": FUNDS + 1}, Refusal.INSUFFICIENT_BALANCE),
    )
    done = market.do(command)
    assert done == (Transferred(ALICE, BOB, KRW, 100, "t-1"),)
    sequence = market.engine.sequence
    assert market.do(command) == (ReferenceRepeated("t-1", sequence),)
    market.refuses(Transfer(ALICE, BOB, KRW, 101, "t-1"), Refusal.REFERENCE_REUSED)
    assert market.gained(ALICE) == {KRW: -100}
    assert market.gained(BOB) == {KRW: 100}
    market.do(SetEligibility(100, 2, 0, frozen=True))
    market.refuses(Transfer(ALICE, BOB, KRW, 1, "t-2"), Refusal.FROZEN)


def test_conversion_goes_through_the_providers_prefunded_account(bridged: Market) -> None:
    command = Convert(ALICE, MIRROR, KRW, 1_380, USD, 100, "fx-1")
    refused_unless(
        bridged,
        command,
        ({"bought_asset": KRW}, Refusal.MALFORMED),
        ({"provider": BOB}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"account": MIRROR}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"sold_units": FUNDS + 1}, Refusal.INSUFFICIENT_BALANCE),
        ({"bought_units": FUNDS + 1}, Refusal.INSUFFICIENT_BALANCE),
    )
    assert bridged.do(command) == (Converted(ALICE, MIRROR, KRW, 1_380, USD, 100, "fx-1"),)
    assert bridged.balances(ALICE)[USD] == (100, 0)
    assert bridged.balances(MIRROR)[KRW] == (FUNDS + 1_380, 0)


def test_cash_leaves_for_another_engine_and_comes_in_from_it(market: Market) -> None:
    out = AllocateCash(ALICE, KRW, 300, 2, False, "out-1")
    assert market.do(out) == (CashAllocated(ALICE, KRW, 300, 2, False, "out-1"),)
    market.do(AllocateCash(ALICE, KRW, 200, 2, True, "in-1"))
    assert market.gained(ALICE) == {KRW: -100}
    refused_unless(
        market,
        AllocateCash(ALICE, KRW, 1, 2, False, "out-2"),
        ({"segment": 0}, Refusal.MALFORMED),
        ({"account": REVENUE}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"amount_units": FUNDS}, Refusal.INSUFFICIENT_BALANCE),
        ({"amount_units": 2**63 - 1, "inward": True}, Refusal.AMOUNT_OVERFLOW),
    )


def test_split_multiplies_every_holding_and_tells_what_rounding_leaves(market: Market) -> None:
    """Three for two: 1,000,001 become 1,500,001 and half a unit is left over."""
    market.do(Credit(ALICE, ACME, 1, "one-more"))
    resting = market.rest(BOB, BUY, 100, 1, instrument=SHARES)
    command = SplitHoldings(ACME, 3, 2, "split-1")
    market.refuses(command, Refusal.ORDERS_OPEN)
    market.do(CancelAll(0, SHARES))
    assert resting
    assert market.do(command) == (
        HoldingAdjusted(ALICE, ACME, 500_000, 1, "split-1"),
        HoldingAdjusted(BOB, ACME, 500_000, 0, "split-1"),
        HoldingAdjusted(CAROL, ACME, 500_000, 0, "split-1"),
        HoldingAdjusted(ALICE_TOO, ACME, 500_000, 0, "split-1"),
        HoldingsSplit(ACME, 3, 2, 6_000_001, "split-1"),
    )
    assert isinstance(market.do(command)[0], ReferenceRepeated)
    refused_unless(
        market,
        SplitHoldings(ACME, 1, 5, "split-2"),
        ({"denominator": 1}, Refusal.MALFORMED),
        ({"numerator": 0}, Refusal.MALFORMED),
    )


def test_error_trade_is_undone_by_the_contrary_one(market: Market) -> None:
    market.rest(ALICE, SELL, 100, 2)
    market.place(BOB, BUY, 100, 2)
    command = CompensateFill(1, GOLD, ALICE, BOB, 100, 2, "undo-1")
    assert market.do(command) == (
        FillCompensated(1, GOLD, "undo-1"),
        Filled(
            2, GOLD, 100, 2, 200, 2_000, BUY, 0, 0, BOB, ALICE, 0, 0, 0, 0, FillKind.COMPENSATING
        ),
    )
    assert market.gained(ALICE) == market.gained(BOB) == {}
    refused_unless(
        market,
        CompensateFill(2, GOLD, ALICE, BOB, 100, 2, "undo-2"),
        ({"fill_id": 1}, Refusal.REFERENCE_REUSED),
        ({"fill_id": 3}, Refusal.MALFORMED),
        ({"seller": ALICE}, Refusal.MALFORMED),
        ({"seller": REVENUE}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"instrument": 7}, Refusal.UNKNOWN_INSTRUMENT),
        ({"price_ticks": 0}, Refusal.PRICE_INVALID),
        ({"quantity_lots": 0}, Refusal.QUANTITY_INVALID),
        ({"quantity_lots": 20_000}, Refusal.INSUFFICIENT_BALANCE),
    )


def test_route_holds_what_its_fills_may_cost_and_gives_back_the_rest(bridged: Market) -> None:
    """5 lots to buy at 100, at most 1 % of fee: 5,000 + 50; 2 are filled at 98 for a fee of 10."""
    held = bridged.do(HoldRoute(ALICE, 0, GOLD, BUY, 100, 5, 10_000, "r-1"))
    assert held == (RouteHeld(ALICE, 0, GOLD, BUY, 100, 5, 5_050, "r-1"),)
    assert bridged.balances(ALICE)[KRW] == (FUNDS - 5_050, 5_050)
    filled = bridged.do(FillRoute("r-1", MIRROR, 98, 2, 10, "sg-1"))
    assert filled == (
        RouteFilled("r-1", ALICE, 2, 3, "sg-1"),
        Filled(
            1, GOLD, 98, 2, 200, 1_960, BUY, 0, 0, MIRROR, ALICE, 0, 10, 0, 3, FillKind.EXTERNAL
        ),
    )
    assert bridged.balances(ALICE)[KRW] == (FUNDS - 1_970 - 3_030, 3_030)
    assert bridged.balances(MIRROR)[XAU] == (FUNDS - 200, 0)
    reply = bridged.engine.answer(GetRoutes(ALICE))
    assert isinstance(reply, Routes) and reply.routes[0].remaining_lots == 3
    refused_unless(
        bridged,
        FillRoute("r-1", MIRROR, 100, 1, 0, "sg-2"),
        ({"route": "r-2"}, Refusal.UNKNOWN_ROUTE),
        ({"mirror": BOB}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"price_ticks": 101}, Refusal.ROUTE_EXCEEDED),
        ({"quantity_lots": 4}, Refusal.ROUTE_EXCEEDED),
        ({"fee_units": 11}, Refusal.ROUTE_EXCEEDED),
    )
    released = bridged.do(ReleaseRoute("r-1", 0, "rel-1"))
    assert released == (RouteReleased("r-1", ALICE, 3, 0, "rel-1"),)
    assert bridged.balances(ALICE)[KRW] == (FUNDS - 1_970, 0)
    bridged.refuses(ReleaseRoute("r-1", 0, "rel-2"), Refusal.UNKNOWN_ROUTE)
    assert isinstance(bridged.do(ReleaseRoute("r-1", 0, "rel-1"))[0], ReferenceRepeated)


def test_route_takes_its_quantity_out_of_an_order(bridged: Market) -> None:
    resting = bridged.rest(ALICE, SELL, 100, 5)
    events = bridged.do(HoldRoute(ALICE, resting, GOLD, SELL, 100, 3, 0, "r-1"))
    assert events == (
        OrderReduced(resting, ALICE, GOLD, 3, 2),
        RouteHeld(ALICE, resting, GOLD, SELL, 100, 3, 300, "r-1"),
    )
    assert bridged.balances(ALICE)[XAU] == (FUNDS - 500, 500)
    events = bridged.do(HoldRoute(ALICE, resting, GOLD, SELL, 100, 2, 0, "r-2"))
    assert events[1] == OrderCancelled(resting, ALICE, GOLD, CancelReason.ROUTED, 0)
    filled = bridged.do(FillRoute("r-2", MIRROR, 105, 2, 0, "sg-1"))[1]
    assert isinstance(filled, Filled) and filled.taker_order_id == resting
    refused_unless(
        bridged,
        HoldRoute(ALICE, 0, GOLD, SELL, 100, 3, 0, "r-3"),
        ({"order_id": resting}, Refusal.UNKNOWN_ORDER),
        ({"fee_ppm": -1}, Refusal.MALFORMED),
        ({"account": MIRROR}, Refusal.ACCOUNT_MAY_NOT_TRADE),
        ({"quantity_lots": 1_001}, Refusal.QUANTITY_TOO_LARGE),
        ({"account": 77}, Refusal.UNKNOWN_ACCOUNT),
    )

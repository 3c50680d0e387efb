"""The market that the crowd meets: small prices, close bounds, short auctions, little money."""

from typing import Any

from matching.protocol.commands import (
    AnyCommand,
    BeginSession,
    BreakerStage,
    Credit,
    DefineInstrument,
    DefineSegment,
    OpenAccount,
    SetEligibility,
    SetPhase,
)
from matching.protocol.units import AccountKind, Allocation, InstrumentClass, Phase

SECOND_NS = 10**9
NOON_NS = 1_790_000_000 * SECOND_NS
METAL, SECURITY = InstrumentClass.METAL, InstrumentClass.SECURITY
XAU, XPT, ACME, TOWER, BOND, IDLE, USD, KRW = 11, 12, 13, 14, 15, 16, 98, 99
ASSETS = (XAU, XPT, ACME, TOWER, BOND, IDLE, USD, KRW)
REVENUE, MIRRORS = 1, (20, 21)
MEMBERS = {2: 100, 3: 100, 4: 101, 5: 101, 6: 102, 7: 103, 8: 104, 9: 105}
POOR, UNKNOWN = (7, 8, 9), 77
HOLDERS = sorted(set(MEMBERS.values()))
SEGMENTS = (1, 2)
VOLATILE: dict[str, Any] = {
    "dynamic_ppm": 40_000,
    "closing_dynamic_ppm": 20_000,
    "static_ppm": 60_000,
    "volatility_auction_ns": 2 * SECOND_NS,
    "random_end_ns": SECOND_NS,
}

DEFINITIONS = (
    DefineInstrument(1, XAU, KRW, 100, 10, METAL, 500, maker_fee_ppm=1_000, taker_fee_ppm=2_000),
    DefineInstrument(
        2, ACME, KRW, 1, 7, SECURITY, 1_000, 50, 150,
        maker_fee_ppm=-500, taker_fee_ppm=2_000, base_price_ticks=100, collar_ppm=100_000,
        fee_tiers=((500, 1_500), (-30_000, 31_000), (0, 0)), **VOLATILE,
    ),
    DefineInstrument(
        3, XPT, KRW, 10, 3, METAL, 400, maker_fee_ppm=-1_000, taker_fee_ppm=1_500,
        allocation=Allocation.PRO_RATA,
    ),
    DefineInstrument(
        4, TOWER, USD, 1, 1, SECURITY, 400, 60, 200, maker_fee_ppm=20_000, taker_fee_ppm=10_000,
        tick_table=((0, 1), (100, 5)), base_price_ticks=99, collar_ppm=200_000,
        fee_tiers=((30_000, 50_000),), allocation=Allocation.PRO_RATA, **VOLATILE,
    ),
    DefineInstrument(
        5, XAU, USD, 1, 2, METAL, 200, tick_table=((0, 2), (90, 3), (120, 5)), taker_fee_ppm=900,
        notional_units_max=9_000, random_end_ns=SECOND_NS, base_price_ticks=99,
    ),
    DefineInstrument(6, BOND, USD, 2**20, 2**30, SECURITY, 2**40),
)  # fmt: skip
SEGMENT = DefineSegment(
    1,
    ((2, 3), (5, 1)),
    (
        BreakerStage(5_000, 0, SECOND_NS, SECOND_NS),
        BreakerStage(12_000, 3_000, SECOND_NS // 2, SECOND_NS // 2),
        BreakerStage(20_000, 3_000, 0, 0, closes=True),
    ),
    SECOND_NS,
    5 * SECOND_NS,
)


def opening() -> list[AnyCommand]:
    """What opens the market."""
    commands: list[AnyCommand] = [OpenAccount(REVENUE, 900, AccountKind.REVENUE)]
    commands += [OpenAccount(mirror, 900 + mirror, AccountKind.MIRROR) for mirror in MIRRORS]
    commands += [OpenAccount(account, holder) for account, holder in MEMBERS.items()]
    for account in (*MIRRORS, *MEMBERS):
        funds = 4_000 if account in POOR else 200_000
        commands += [Credit(account, asset, funds, f"in/{account}/{asset}") for asset in ASSETS]
    commands += [SetEligibility(holder, 1, METAL | SECURITY) for holder in HOLDERS]
    commands += DEFINITIONS
    commands.append(SEGMENT)
    commands.append(BeginSession(1, NOON_NS + 60 * SECOND_NS))
    commands += [SetPhase(number, Phase.CONTINUOUS) for number in range(1, 6)]
    commands.append(SetPhase(6, Phase.CONTINUOUS_24H))
    return commands

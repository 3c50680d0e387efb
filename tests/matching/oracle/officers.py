"""What the venue's officers and schedules send: definitions, phases, rights, breakers."""

from random import Random
from typing import Any

from msgspec.structs import replace

from matching.protocol.commands import (
    BeginSession,
    BreakerStage,
    DefineInstrument,
    DefineSegment,
    OpenAccount,
    SetEligibility,
    SetFeeTier,
    SetHeartbeat,
    SetKillSwitch,
    SetPhase,
)
from matching.protocol.units import AccountKind, Allocation, Phase
from tests.matching.oracle.records import AUCTIONS, Market, State
from tests.matching.oracle.venue import (
    HOLDERS,
    MEMBERS,
    METAL,
    MIRRORS,
    REVENUE,
    SECOND_NS,
    SECURITY,
    SEGMENT,
    SEGMENTS,
    UNKNOWN,
    VOLATILE,
)

# How often each phase follows: CLOSED, CONTINUOUS, HALTED, OPENING, VOLATILITY, CLOSING, 24H.
FOLLOWS = {
    Phase.CLOSED: (0.2, 3, 0.3, 5, 0.3, 0.3, 1.5),
    Phase.CONTINUOUS: (1, 0.3, 1, 0.7, 2, 4, 1),
    Phase.HALTED: (1, 4, 0.3, 1, 1, 1, 1),
    Phase.OPENING_AUCTION: (0.5, 5, 0.5, 1, 0.7, 0.5, 1),
    Phase.VOLATILITY_AUCTION: (0.5, 4, 0.5, 0.3, 1, 1, 1),
    Phase.CLOSING_AUCTION: (4, 1, 0.5, 0.3, 0.5, 1, 0.3),
    Phase.CONTINUOUS_24H: (0.3, 1, 1, 0.5, 2, 1, 0.3),
}
HASTE = {Phase.CLOSED: 8, Phase.HALTED: 8, Phase.CONTINUOUS: 1, Phase.CONTINUOUS_24H: 1}
ODD_DEFINITIONS: tuple[dict[str, Any], ...] = (
    {"instrument": 0},
    {"base_asset": 99, "quote_asset": 99},
    {"instrument_class": 3},
    {"quantity_lots_max": 0},
    {"price_ticks_low": 9, "price_ticks_high": 8},
    {"taker_fee_ppm": -1},
    {"maker_fee_ppm": -1_000_001},
    {"tick_table": ((1, 1),)},
    {"tick_table": ((0, 1), (0, 2))},
    {"fee_tiers": ((0, 0),) * 17},
    {"fee_tiers": ((0, -1),)},
    {"base_price_ticks": -1},
    {"notional_units_max": -1},
    {"collar_ppm": -1},
    {"volatility_auction_ns": -1},
    {"random_end_ns": -1},
    {"base_units_per_lot": 17},
    {"quote_asset": 98, "base_asset": 12},
)


class Officers:
    """Draws the commands of the venue's own people."""

    def __init__(self, random: Random, state: State) -> None:
        self.random = random
        self.state = state

    def set_phase(self) -> SetPhase:
        weights = [HASTE.get(market.phase, 3) for market in self.state.markets]
        (market,) = self.random.choices(self.state.markets, weights)
        (phase,) = self.random.choices(list(Phase), FOLLOWS[market.phase])
        ends_at_ns = decided_at_ns = 0
        if self.random.random() < 0.05:
            return SetPhase(market.number, market.decided_phase, market.decided_at_ns)
        if phase in AUCTIONS and self.random.random() < 0.6:
            ends_at_ns = self.state.now_ns + self.random.randrange(3 * SECOND_NS)
        chance = self.random.random()
        if chance < 0.2:
            decided_at_ns = self.state.now_ns - self.random.randrange(3 * SECOND_NS)
        if chance > 0.97:
            return SetPhase(self.random.choice((9, 1, 2)), phase, -1, ends_at_ns)
        if chance > 0.95:
            ends_at_ns = self.random.choice((-1, 5))
        return SetPhase(market.number, phase, decided_at_ns, ends_at_ns)

    def define_instrument(self) -> DefineInstrument:
        market = self.random.choice(self.state.markets)
        if self.random.random() < 0.2:
            return replace(market.definition, **self.random.choice(ODD_DEFINITIONS))
        return replace(market.definition, **self._change(market))

    def _change(self, market: Market) -> dict[str, Any]:
        """Draw a change of rules: band, ticks, fees, bounds or base price."""
        choice, randrange = self.random.choice, self.random.randrange
        reference = market.reference or 100
        changes: tuple[dict[str, Any], ...] = (
            {"price_ticks_low": 0, "price_ticks_high": 0},
            {
                "price_ticks_low": max(1, reference - randrange(2, 30)),
                "price_ticks_high": reference + randrange(2, 30),
            },
            {"tick_table": choice(((), ((0, 1), (100, 5)), ((0, 2), (90, 3), (120, 5))))},
            {"base_price_ticks": choice((0, 90, 99, 100, 105, reference + 1))},
            {"base_price_ticks": randrange(92, 108)},
            {"collar_ppm": choice((0, 50_000, 100_000))},
            {"maker_fee_ppm": randrange(-900, 2_000), "taker_fee_ppm": randrange(3_000)},
            {"fee_tiers": choice(((), ((10, 20),), ((100, 50_000), (-40_000, 60_000))))},
            {"notional_units_max": choice((0, 9_000, 30_000))},
            {"random_end_ns": choice((0, 0, SECOND_NS))},
            {"dynamic_ppm": 0, "static_ppm": 0, "closing_dynamic_ppm": 0},
            dict(VOLATILE),
            dict(VOLATILE, dynamic_ppm=0),
            {"allocation": choice(list(Allocation))},
            {"quantity_lots_max": choice((300, 500, 1_000))},
        )
        return choice(changes)

    def open_account(self) -> OpenAccount:
        choice = self.random.choice
        account = choice((*MEMBERS, REVENUE, *MIRRORS, 10, 11, 0))
        return OpenAccount(account, choice((*HOLDERS, 107, 900, 0)), choice(list(AccountKind)))

    def set_eligibility(self) -> SetEligibility:
        """Take rights away or, oftener, give them back."""
        holders = [holder for holder in self.state.holders if holder.number in HOLDERS]
        without = [holder for holder in holders if holder.frozen or holder.classes != 3]
        holder = self.random.choice(without if without and self.random.random() < 0.7 else holders)
        version = holder.version + self.random.choice((0, 1, 1, 1, 1, 1, 1))
        if holder in without:
            return SetEligibility(holder.number, version, METAL | SECURITY)
        classes = self.random.choice((0, METAL, SECURITY, METAL | SECURITY, -1))
        return SetEligibility(holder.number, version, classes, self.random.random() < 0.4)

    def set_fee_tier(self) -> SetFeeTier:
        holder = self.random.choice((*HOLDERS, *HOLDERS, 0, 950))
        return SetFeeTier(holder, self.random.choice((0, 1, 2, 3, 16, 17)))

    def set_kill_switch(self) -> SetKillSwitch:
        """Engage a kill switch or, oftener, lift one."""
        killed = [account for account in self.state.accounts if account.killed]
        stopped = [market for market in self.state.markets if market.killed]
        if killed and self.random.random() < 0.5:
            return SetKillSwitch(killed[0].number, 0, False)
        if stopped and self.random.random() < 0.7:
            return SetKillSwitch(0, stopped[0].number, False)
        account, instrument = self.random.choice(
            ((0, 0), (2, 1), (UNKNOWN, 0), (0, 9), *((0, number) for number in range(1, 6)),
             *((member, 0) for member in MEMBERS))
        )  # fmt: skip
        return SetKillSwitch(account, instrument, True)

    def set_heartbeat(self) -> SetHeartbeat:
        timeout_ns = self.random.choice((SECOND_NS, SECOND_NS // 5, 3 * SECOND_NS, 0, -1, 10**15))
        return SetHeartbeat(self.random.choice((*MEMBERS, UNKNOWN)), timeout_ns)

    def define_segment(self) -> DefineSegment:
        choice = self.random.choice
        stages = SEGMENT.stages[: self.random.randrange(4)]
        changes: tuple[dict[str, Any], ...] = (
            {},
            {"stages": stages},
            {"hold_ns": choice((0, 2 * SECOND_NS))},
            {"segment": 2, "constituents": ((3, 2), (4, 5)), "quiet_ns": 0},
            {"segment": 2, "constituents": ((3, 2), (2, 5))},
            {"constituents": ((2, 2), (9, 1))},
            {"constituents": ((2, 2), (2, 1))},
            {"constituents": ((2, 2**23),)},
            {"constituents": ()},
            {"hold_ns": 31 * 86_400 * SECOND_NS},
            {"segment": 0},
            {"stages": (BreakerStage(2, 0, 0, 0), BreakerStage(2, 0, 0, 0))},
            {"stages": (BreakerStage(0, 0, 0, 0),)},
        )
        return replace(SEGMENT, **choice(changes))

    def begin_session(self) -> BeginSession:
        ends = [segment.closes_at_ns for segment in self.state.segments]
        closes_at_ns = self.state.now_ns + self.random.randrange(SECOND_NS, 200 * SECOND_NS)
        odd = (*ends, 0, -1)
        if self.random.random() < 0.15:
            closes_at_ns = self.random.choice(odd)
        return BeginSession(self.random.choice((1, 1, 1, *SEGMENTS, 3)), closes_at_ns)

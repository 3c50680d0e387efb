"""The oracle: docs/matching.md in plain lists, searched from front to back.

A second implementation of the specification, made to be read and not to be fast: nothing is kept
that can be worked out. It imports the protocol alone, and any engine must say the same events.
"""

from collections.abc import Callable
from typing import Any

from matching.protocol.commands import (
    Advance,
    AllocateCash,
    AmendOrder,
    BeginSession,
    CancelAll,
    CancelOrder,
    CompensateFill,
    Convert,
    Credit,
    Debit,
    DefineInstrument,
    DefineSegment,
    FillRoute,
    HoldRoute,
    OpenAccount,
    PlaceOrder,
    ReleaseRoute,
    Sequenced,
    SetEligibility,
    SetFeeTier,
    SetHeartbeat,
    SetKillSwitch,
    SetPhase,
    SplitHoldings,
    Transfer,
)
from matching.protocol.events import Applied, Refused
from tests.matching.oracle import (
    admission,
    amending,
    cancelling,
    funds,
    listing,
    phases,
    placing,
    routes,
    segments,
    timers,
)
from tests.matching.oracle.following import follow_up
from tests.matching.oracle.holdings import available
from tests.matching.oracle.records import RefusedError, State

_RULES: dict[type, Callable[[State, Any], None]] = {
    DefineInstrument: listing.define_instrument,
    SetPhase: phases.set_phase,
    OpenAccount: admission.open_account,
    SetEligibility: admission.set_eligibility,
    Credit: funds.credit,
    Debit: funds.debit,
    PlaceOrder: placing.place_order,
    AmendOrder: amending.amend_order,
    CancelOrder: cancelling.cancel_order,
    CancelAll: cancelling.cancel_all,
    DefineSegment: segments.define_segment,
    BeginSession: segments.begin_session,
    SetFeeTier: admission.set_fee_tier,
    SetKillSwitch: cancelling.set_kill_switch,
    SetHeartbeat: cancelling.set_heartbeat,
    SplitHoldings: funds.split_holdings,
    Transfer: funds.transfer,
    Convert: funds.convert,
    AllocateCash: funds.allocate_cash,
    HoldRoute: routes.hold_route,
    ReleaseRoute: routes.release_route,
    FillRoute: routes.fill_route,
    CompensateFill: funds.compensate_fill,
    Advance: timers.advance,
}


class Oracle:
    """All markets and accounts at one sequence number."""

    def __init__(self) -> None:
        self.state = State()

    def apply(self, sequenced: Sequenced) -> Applied:
        """Apply the next command and return its events; a refusal's detail is left empty."""
        state = self.state
        assert sequenced.sequence == state.sequence + 1 and sequenced.time_ns > state.now_ns
        state.sequence, state.now_ns = sequenced.sequence, sequenced.time_ns
        state.events = []
        try:
            _RULES[type(sequenced.command)](state, sequenced.command)
        except RefusedError as refusal:
            assert not state.events, "a refused command changes nothing"
            state.events.append(Refused(refusal.code, ""))
        else:
            follow_up(state)
            segments.look_at_segments(state)
        return Applied(state.sequence, state.now_ns, tuple(state.events))

    @property
    def due_ns(self) -> int:
        """When the next `Advance` is due; `TIME_NS_MAX` for never."""
        return timers.due_ns(self.state)

    def _check(self) -> None:
        """Assert that no account has spent what it does not have, and that no book is crossed."""
        for account in self.state.accounts:
            for asset in account.units:
                assert available(self.state, account, asset) >= 0, (account, asset)

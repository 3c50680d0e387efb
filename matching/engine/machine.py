"""The machine: takes sequenced commands one by one and says what each did."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from matching.engine.admission import open_account, set_eligibility, set_fee_tier
from matching.engine.amends import amend_order
from matching.engine.cancels import cancel_all, cancel_order, set_heartbeat, set_kill_switch
from matching.engine.checks import check
from matching.engine.funds import allocate_cash, credit, debit
from matching.engine.image import Image
from matching.engine.listing import define_instrument, set_phase
from matching.engine.orders import place_order
from matching.engine.questions import answer
from matching.engine.routes import fill_route, hold_route, release_route
from matching.engine.segments import begin_session, define_segment
from matching.engine.state import Events, State
from matching.engine.timers import advance
from matching.engine.transfers import compensate_fill, convert, split_holdings, transfer
from matching.protocol.codec import encode
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
from matching.protocol.events import Applied
from matching.protocol.queries import AnyQuery, AnyReply

_HANDLERS: dict[type, Callable[[State, int, Any], Events]] = {
    DefineInstrument: define_instrument,
    SetPhase: set_phase,
    OpenAccount: open_account,
    SetEligibility: set_eligibility,
    Credit: credit,
    Debit: debit,
    PlaceOrder: place_order,
    AmendOrder: amend_order,
    CancelOrder: cancel_order,
    CancelAll: cancel_all,
    DefineSegment: define_segment,
    BeginSession: begin_session,
    SetFeeTier: set_fee_tier,
    SetKillSwitch: set_kill_switch,
    SetHeartbeat: set_heartbeat,
    SplitHoldings: split_holdings,
    Transfer: transfer,
    Convert: convert,
    AllocateCash: allocate_cash,
    HoldRoute: hold_route,
    ReleaseRoute: release_route,
    FillRoute: fill_route,
    CompensateFill: compensate_fill,
    Advance: advance,
}


class SequenceBroken(Exception):
    """A command came out of order: the fault of whoever feeds the engine."""


class Engine:
    """All books and accounts at one sequence number; equal commands make equal engines."""

    __slots__ = ("_state", "sequence", "time_ns")

    def __init__(self) -> None:
        self._state = State()
        self.sequence = 0
        self.time_ns = 0

    def apply(self, sequenced: Sequenced) -> Applied:
        """Apply the next command and return its events.

        Refusals are events and change nothing. Raises `SequenceBroken` unless the sequence number
        follows the last one and the time lies above the last one.
        """
        sequence = sequenced.sequence
        time_ns = sequenced.time_ns
        if sequence != self.sequence + 1 or time_ns <= self.time_ns:
            raise SequenceBroken(
                f"expected sequence {self.sequence + 1} above {self.time_ns} ns, "
                f"found {sequence} at {time_ns} ns"
            )
        state = self._state
        if time_ns >= state.accounts.day_end_ns:
            state.accounts.roll_to(time_ns)
        state.time_ns = time_ns
        command = sequenced.command
        events = _HANDLERS[type(command)](state, sequence, command)
        if state.moved:
            state.look()
        self.sequence = sequence
        self.time_ns = time_ns
        return Applied(sequence, time_ns, events)

    def answer(self, query: AnyQuery) -> AnyReply:
        """Answer a query about books and accounts; changes nothing."""
        return answer(self._state, self.sequence, query)

    def image(self) -> Image:
        """Return the whole state as data, in one canonical order."""
        return self._state.image()

    @classmethod
    def restore(cls, image: Image, sequence: int, time_ns: int) -> "Engine":
        """Return an engine with this state, last sequence number and time."""
        engine = cls()
        engine._state = State.restore(image)
        engine.sequence = sequence
        engine.time_ns = engine._state.time_ns = time_ns
        return engine

    def state_hash(self) -> str:
        """Return the hex SHA-256 of the image: everything except sequence number and clock."""
        return sha256(encode(self.image())).hexdigest()

    @property
    def due_ns(self) -> int:
        """When an `Advance` has something to do; far beyond all times when nothing has."""
        return self._state.due_ns

    @property
    def orders(self) -> int:
        """Number of open orders."""
        return sum(len(account.orders) for account in self._state.accounts.values())

    @property
    def accounts(self) -> int:
        """Number of accounts."""
        return len(self._state.accounts)

    @property
    def fills(self) -> int:
        """Number of fills since the beginning, which is also the last fill id."""
        return self._state.fills

    def _check(self) -> None:
        """Assert every invariant of the state."""
        check(self._state)

"""How much of the market a run has seen, counted by name."""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from matching.protocol.commands import AnyCommand
from matching.protocol.events import (
    AnyEvent,
    Filled,
    MarketInterrupted,
    OrderAccepted,
    OrderCancelled,
    PhaseChanged,
    Refused,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CancelReason,
    FillKind,
    Interruption,
    OrderKind,
    Phase,
    SelfTradePrevention,
    TimeInForce,
)
from tests.matching.oracle.checks import FORCES

# The first is the runtime's own; the second is kept for a code once published.
NOT_OF_THE_ENGINE = (Refusal.ENGINE_UNAVAILABLE, Refusal.UNKNOWN_HOLDER)


def everything() -> set[str]:
    """Return the names of all that a deep run must have seen."""
    return {
        *(kind.__name__ for kind in get_args(AnyEvent)),
        *(kind.__name__ for kind in get_args(AnyCommand)),
        *(str(code) for code in Refusal if code not in NOT_OF_THE_ENGINE),
        *(_named(member) for group in GROUPS for member in group),
        *(_placed(kind, force) for kind, forces in FORCES.items() for force in forces),
    }


GROUPS = (CancelReason, Phase, FillKind, Interruption, SelfTradePrevention)


def count(command: AnyCommand, events: Iterable[AnyEvent], seen: Counter[str]) -> None:
    """Add what a command and its events show."""
    seen[type(command).__name__] += 1
    for event in events:
        seen[type(event).__name__] += 1
        match event:
            case Refused():
                seen[str(event.code)] += 1
            case OrderAccepted():
                seen[_placed(event.kind, event.time_in_force)] += 1
                seen[_named(event.self_trade_prevention)] += 1
            case OrderCancelled():
                seen[_named(event.reason)] += 1
            case PhaseChanged():
                seen[_named(event.phase)] += 1
            case Filled():
                seen[_named(event.kind)] += 1
            case MarketInterrupted():
                seen[_named(event.cause)] += 1


def _named(member: CancelReason | Phase | FillKind | Interruption | SelfTradePrevention) -> str:
    return f"{type(member).__name__}.{member.name}"


def _placed(kind: OrderKind, force: TimeInForce) -> str:
    return f"{kind.name} {force.name}"

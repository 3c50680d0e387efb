"""How long a client waits for the next engine, and what it may say to that one again."""

from collections.abc import Sequence
from time import monotonic
from typing import get_args

from matching.protocol.commands import (
    AnyCommand,
    BeginSession,
    DefineInstrument,
    DefineSegment,
    OpenAccount,
    PlaceOrder,
    Referenced,
    SetFeeTier,
    SetHeartbeat,
    SetKillSwitch,
)
from matching.protocol.queries import AnyQuery, Query

# A standby leads within two seconds; an engine that starts again takes longer, and is told of.
PATIENCE_S = 3.0
RETRY_S = 0.02
REPEATABLE = (
    PlaceOrder,
    DefineInstrument,
    DefineSegment,
    BeginSession,
    OpenAccount,
    SetFeeTier,
    SetHeartbeat,
    SetKillSwitch,
    *get_args(Referenced),
    Query,
)


def repeatable(bodies: Sequence[AnyCommand | AnyQuery]) -> bool:
    """Tell whether all these change nothing when they come twice (see `EngineUnavailable`)."""
    return all(isinstance(body, REPEATABLE) for body in bodies)


class Patience:
    """Waits for the next engine once: calls that come later, while still none answers, do not."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def found(self) -> None:
        """Note that an engine answers."""
        self._since = None

    def lasts(self) -> bool:
        """Note that none does; tell whether to try again."""
        now = monotonic()
        self._since = self._since or now
        return now - self._since < self._seconds

"""Call auctions as anybody may see them, from events alone. Pure: no clock, no sockets."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from matching.protocol.events import (
    AnyEvent,
    AuctionUncrossed,
    IndicativeChanged,
    MarketInterrupted,
    PhaseChanged,
)
from matching.protocol.units import Phase


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A market's phase and auctions; what has not been is 0.

    `indicative_*` is where the auction that is on would end now, `surplus_lots` what would be left
    there (to sell when negative); `auction_*` is how the last one that traded ended, and
    `interrupted_*` the last trade that was kept back, by which bound and around what price.
    """

    phase: int = Phase.CLOSED
    ends_at_ns: int = 0
    indicative_ticks: int = 0
    indicative_lots: int = 0
    surplus_lots: int = 0
    auction_ticks: int = 0
    auction_lots: int = 0
    auction_ns: int = 0
    interrupted_by: int = 0
    interrupted_around_ticks: int = 0
    interrupted_at_ticks: int = 0
    interrupted_ns: int = 0


NO_CALL = Call()


class Calls:
    """What is `known` by instrument; `changed` collects the instruments, the caller empties it."""

    def __init__(self, known: Mapping[int, Call]) -> None:
        self.known = dict(known)
        self.changed: set[int] = set()

    def take(self, event: AnyEvent, time_ns: int) -> None:
        """Take in an event; most say nothing here."""
        match event:
            case PhaseChanged(number, phase, ends_at_ns):
                call = self._of(number)
                # The phase that was in force already only ends at another time.
                begun = call if call.phase == phase else _indicative(call, 0, 0, 0)
                self._set(number, replace(begun, phase=phase, ends_at_ns=ends_at_ns))
            case IndicativeChanged(number, ticks, lots, surplus):
                self._set(number, _indicative(self._of(number), ticks, lots, surplus))
            case AuctionUncrossed(number, ticks, lots) if lots:
                call = replace(
                    self._of(number), auction_ticks=ticks, auction_lots=lots, auction_ns=time_ns
                )
                self._set(number, call)
            case MarketInterrupted(number, cause, around, ticks):
                call = replace(
                    self._of(number),
                    interrupted_by=cause,
                    interrupted_around_ticks=around,
                    interrupted_at_ticks=ticks,
                    interrupted_ns=time_ns,
                )
                self._set(number, call)

    def _of(self, instrument: int) -> Call:
        return self.known.get(instrument, NO_CALL)

    def _set(self, instrument: int, call: Call) -> None:
        self.known[instrument] = call
        self.changed.add(instrument)


def _indicative(call: Call, ticks: int, lots: int, surplus_lots: int) -> Call:
    return replace(call, indicative_ticks=ticks, indicative_lots=lots, surplus_lots=surplus_lots)

"""Which steps take a batch onward from what the chain shows. Pure: no database, no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from settlement.chain.client import Status
from settlement.chain.encoding import PHASE_COLLECT

STEPS_MAX = 16


class Call(StrEnum):
    """What a step calls on the contract."""

    SETTLE = "settle"
    OPEN = "open"
    CHUNK = "chunk"
    UNWIND = "unwind"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction: a call, and the chunk it carries."""

    call: Call
    index: int | None = None

    def subject(self, batch_id: int) -> str:
        """Return the name under which the step's transaction is stored."""
        tail = "" if self.index is None else f":{self.index}"
        return f"batch:{batch_id}:{self.call}{tail}"


@dataclass(frozen=True, slots=True)
class GasTerms:
    """What a transaction is reckoned to cost, in gas, and the cap of one (EIP-7825)."""

    base: int
    per_delta: int
    per_chunk_hash: int
    cap: int

    def chunk(self, deltas: int) -> int:
        """Return the gas limit of moving so many deltas."""
        return min(self.base + self.per_delta * deltas, self.cap)

    def opening(self, chunks: int) -> int:
        """Return the gas limit of opening a batch of so many chunks."""
        return min(self.base + self.per_chunk_hash * chunks, self.cap)

    def fits_one(self, deltas: int) -> bool:
        """Tell whether a batch of so many deltas settles in one transaction."""
        return self.base + self.per_delta * deltas <= self.cap


def steps_next(
    status: Status, next_chunk: int, phases: Sequence[int], *, single: bool, unwind: bool
) -> list[Step]:
    """Return the steps that may be sent now, in their order; none when the chain has done its part.

    `next_chunk` counts applied chunks, `phases` holds each chunk's. Pay chunks are sent only when
    every collect chunk is in a block, so that a debit which fails wastes no credit's gas. A batch
    that shall be unwound is opened first when it is not: only so its id is spent.
    """
    if status == Status.NONE:
        return [Step(Call.SETTLE if single and not unwind else Call.OPEN)]
    if status == Status.UNWINDING:
        return [Step(Call.REFUND, index) for index in reversed(range(next_chunk))][:STEPS_MAX]
    if status == Status.COLLECTING and unwind:
        return [Step(Call.UNWIND)]
    if status in (Status.COLLECTING, Status.PAYING):
        end = len(phases)
        if next_chunk < end and phases[next_chunk] == PHASE_COLLECT:
            end = sum(phase == PHASE_COLLECT for phase in phases)
        return [Step(Call.CHUNK, index) for index in range(next_chunk, end)][:STEPS_MAX]
    return []

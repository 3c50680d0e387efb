"""Replay by another process: proof that the journal alone gives the engine's state."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from pathlib import Path

import msgspec

from matching.engine import Engine
from matching.journal import JournalReader
from matching.journal.format import segments
from matching.protocol.commands import Sequenced
from matching.protocol.events import AnyEvent, Refused
from matching.snapshot import newest_engine, write_snapshot


class Replayed(msgspec.Struct, frozen=True):
    """What a journal comes to; `from_sequence` is that of the snapshot it began with, or 0.

    Segments, batches, commands, events and refusals are those read, which a snapshot makes fewer;
    the last three by name. Accounts, open orders and fills are those of the state at the end.
    `torn_bytes` lie behind the last whole batch and are none: a write that was broken off, of which
    nobody was told, or the damage of a last batch; with `torn_at` as their segment and offset.
    """

    instance: str
    from_sequence: int
    sequence: int
    segments: int
    batches: int
    accounts: int
    orders: int
    fills: int
    commands: dict[str, int]
    events: dict[str, int]
    refusals: dict[str, int]
    state_hash: str
    torn_bytes: int = 0
    torn_at: str = ""


def replay(
    journal_dir: Path,
    *,
    from_snapshot: bool = False,
    progress: Callable[[int], None] = lambda place_bytes: None,
) -> Replayed:
    """Replay a journal, count what it says and check every invariant at its end.

    `progress` is told, batch by batch, how many bytes of all segments lie behind. Raises
    `LookupError` without any journal, `JournalDamaged`, `OtherInstance`, `AssertionError`.
    """
    engine = newest_engine(journal_dir) if from_snapshot else Engine()
    start = engine.sequence
    reader = JournalReader(journal_dir, after_sequence=start, thorough=True)
    commands: Counter[str] = Counter()
    events: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    read: dict[Path, int] = {}
    for batch in batches(journal_dir, reader, progress):
        assert reader.segment is not None
        commands.update(type(sequenced.command).__name__ for sequenced in batch)
        for sequenced in batch:
            _count(engine.apply(sequenced).events, events, refusals)
        read[reader.segment] = read.get(reader.segment, 0) + 1
    torn, torn_at = _torn(reader)
    reader.close()
    engine._check()
    return Replayed(
        instance=reader.instance,
        from_sequence=start,
        sequence=engine.sequence,
        segments=len(read),
        batches=sum(read.values()),
        accounts=engine.accounts,
        orders=engine.orders,
        fills=engine.fills,
        commands=_by_name(commands),
        events=_by_name(events),
        refusals=_by_name(refusals),
        state_hash=engine.state_hash(),
        torn_bytes=torn,
        torn_at=torn_at,
    )


def _torn(reader: JournalReader) -> tuple[int, str]:
    """Return how many bytes behind the last whole batch are not zero to the last, and where."""
    if reader.segment is None:
        return 0, ""
    with reader.segment.open("rb") as file:
        file.seek(reader.offset)
        rest = file.read().rstrip(b"\0")
    return (len(rest), f"{reader.segment}, offset {reader.offset}") if rest else (0, "")


def batches(
    journal_dir: Path, reader: JournalReader, progress: Callable[[int], None]
) -> Iterator[list[Sequenced]]:
    """Yield what a reader finds, and tell how many bytes lie behind. Raises as `replay`."""
    sizes = journal_bytes(journal_dir)
    # A segment that the writer adds meanwhile counts as beyond them all.
    before = dict(zip(sizes, accumulate(sizes.values(), initial=0), strict=False))
    whole = sum(sizes.values())
    while (batch := reader.next_batch()) is not None:
        yield batch
        assert reader.segment is not None
        progress(before.get(reader.segment, whole) + reader.offset)


def journal_bytes(journal_dir: Path) -> dict[Path, int]:
    """Return the size of each segment of a journal. Raises `LookupError` when there is none."""
    sizes = {path: path.stat().st_size for _, path in segments(journal_dir)}
    if not sizes:
        raise LookupError(f"{journal_dir} holds no journal segment; name the folder NEXUS_JOURNAL")
    return sizes


def advance(engine: Engine, reader: JournalReader) -> None:
    """Apply what the journal holds beyond the engine."""
    while (batch := reader.next_batch()) is not None:
        for sequenced in batch:
            engine.apply(sequenced)


def take_snapshot(journal_dir: Path, instance: str) -> Path | None:
    """Write a snapshot of the journal's present end; None when the newest one stands there."""
    engine = newest_engine(journal_dir, instance)
    start = engine.sequence
    reader = JournalReader(journal_dir, after_sequence=start, instance=instance)
    try:
        advance(engine, reader)
    finally:
        reader.close()
    if engine.sequence == start:
        return None
    return write_snapshot(journal_dir, instance, engine)


def _count(applied: Iterable[AnyEvent], events: Counter[str], refusals: Counter[str]) -> None:
    for event in applied:
        events[type(event).__name__] += 1
        if isinstance(event, Refused):
            refusals[event.code] += 1


def _by_name(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))

"""Replay by another process: proof that the journal alone gives the engine's state."""

from pathlib import Path

import msgspec

from matching.engine import Engine
from matching.journal import JournalReader
from matching.snapshot import newest_engine, write_snapshot


class Replayed(msgspec.Struct, frozen=True):
    """What a journal comes to; `from_sequence` is that of the snapshot it began with, or 0."""

    instance: str
    from_sequence: int
    sequence: int
    accounts: int
    orders: int
    fills: int
    state_hash: str


def replay(journal_dir: Path, *, from_snapshot: bool = False) -> Replayed:
    """Replay a journal and check every invariant at its end.

    Raises `JournalDamaged`, `OtherInstance`, `AssertionError`.
    """
    engine = newest_engine(journal_dir) if from_snapshot else Engine()
    start = engine.sequence
    reader = JournalReader(journal_dir, after_sequence=start, thorough=True)
    advance(engine, reader)
    engine._check()
    return Replayed(
        reader.instance,
        start,
        engine.sequence,
        engine.accounts,
        engine.orders,
        engine.fills,
        engine.state_hash(),
    )


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

"""Recovery: newest sound snapshot, then the journal; refuses what it cannot prove whole."""

from collections import deque
from pathlib import Path

import msgspec

from matching.engine import Engine
from matching.journal import JournalReader
from matching.journal.format import JournalDamaged, segment_path
from matching.protocol.codec import StreamEntry
from matching.runtime.log import log
from matching.snapshot import newest_engine

# Batches kept for publishing again: what is older, followers read from the journal.
REPUBLISHED_MAX = 1_000


class Recovered(msgspec.Struct):
    """An engine at the journal's end, the reader that stands there, and what Redis lacks."""

    engine: Engine
    end: JournalReader
    unpublished: deque[StreamEntry]


def recover(journal_dir: Path, instance: str, published_sequence: int | None) -> Recovered:
    """Rebuild the engine. Raises `JournalDamaged` and `OtherInstance`.

    `published_sequence` is what Redis holds, None when that is unknown: then nothing is kept for
    publishing. A journal that ends before it, or before a snapshot, has lost acknowledged commands.
    """
    engine = newest_engine(
        journal_dir,
        instance,
        passed_over=lambda damaged: log("snapshot_damaged", what=str(damaged)),
    )
    start = engine.sequence
    log("snapshot_loaded", sequence=start)
    reader = JournalReader(journal_dir, after_sequence=start, instance=instance, thorough=True)
    unpublished: deque[StreamEntry] = deque(maxlen=REPUBLISHED_MAX)
    while (batch := reader.next_batch()) is not None:
        after = engine.sequence
        applied = tuple([engine.apply(sequenced) for sequenced in batch])
        if published_sequence is not None and engine.sequence > published_sequence:
            unpublished.append(StreamEntry(after, applied))
    known = max(start, published_sequence or 0)
    if reader.segment is None and known:
        raise JournalDamaged(segment_path(journal_dir, 1), 0, 1, f"no segment, {known} was reached")
    if engine.sequence < known or reader.seen_sequence < start:
        assert reader.segment is not None
        raise JournalDamaged(
            reader.segment,
            reader.offset,
            reader.seen_sequence + 1,
            f"the journal ends here, but sequence {known} was reached",
        )
    log("recovered", snapshot=start, sequence=engine.sequence)
    return Recovered(engine, reader, unpublished)

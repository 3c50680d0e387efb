"""An engine of the follower's own, fed by the journal: it says again what the stream has lost."""

from pathlib import Path

from matching.engine import Engine
from matching.journal import JournalReader, leading
from matching.protocol.codec import StreamEntry
from matching.protocol.units import UNITS_MAX
from matching.snapshot import newest_engine


class Replica:
    """Replays the journal from the newest snapshot that fits; costs nothing until it is asked."""

    def __init__(self, journal_dir: Path, instance: str) -> None:
        self._journal_dir = leading(journal_dir)
        self._instance = instance
        self._engine: Engine | None = None
        self._reader: JournalReader | None = None
        # Positioned beyond all, it steps from header to header and decodes nothing.
        self._tail = JournalReader(self._journal_dir, after_sequence=UNITS_MAX, instance=instance)

    def tail_sequence(self) -> int:
        """Return the last sequence in the journal. Raises `JournalDamaged`, `OtherInstance`."""
        self._tail.next_batch()
        return self._tail.seen_sequence

    def next_entry(self, sequence: int) -> StreamEntry | None:
        """Return the batch that follows a sequence (of a batch that it cuts, the rest)."""
        engine, reader = self._at(sequence)
        while (batch := reader.next_batch()) is not None:
            applied = tuple([engine.apply(sequenced) for sequenced in batch])
            if engine.sequence > sequence:
                return above(StreamEntry(sequence, applied), sequence)
        return None

    def close(self) -> None:
        """Forget the engine; the next question begins at a snapshot again."""
        if self._reader is not None:
            self._reader.close()
        self._engine = self._reader = None

    def _at(self, sequence: int) -> tuple[Engine, JournalReader]:
        if self._engine is None or self._reader is None or self._engine.sequence > sequence:
            self.close()
            self._engine = newest_engine(self._journal_dir, self._instance, at_most=sequence)
            self._reader = JournalReader(
                self._journal_dir, after_sequence=self._engine.sequence, instance=self._instance
            )
        return self._engine, self._reader


def above(entry: StreamEntry, sequence: int) -> StreamEntry:
    """Return the entry without what lies at or below a sequence."""
    if entry.applied[0].sequence > sequence:
        return StreamEntry(sequence, entry.applied)
    applied = tuple([applied for applied in entry.applied if applied.sequence > sequence])
    return StreamEntry(sequence, applied)

"""The journal: every sequenced command, durable before anyone hears of its effect.

What lives here are segments, batches and records on disk. What must not: the meaning of a command.
"""

from matching.journal.format import JournalDamaged, OtherInstance, leading
from matching.journal.reader import JournalReader, last_batch
from matching.journal.writer import JournalUnwritable, JournalWriter, cut_behind

__all__ = [
    "JournalDamaged",
    "JournalReader",
    "JournalUnwritable",
    "JournalWriter",
    "OtherInstance",
    "cut_behind",
    "last_batch",
    "leading",
]

"""The journal: every sequenced command, durable before anyone hears of its effect.

What lives here are segments, batches and records on disk. What must not: the meaning of a command.
"""

from matching.journal.format import JournalDamaged, OtherInstance
from matching.journal.reader import JournalReader
from matching.journal.writer import JournalUnwritable, JournalWriter

__all__ = [
    "JournalDamaged",
    "JournalReader",
    "JournalUnwritable",
    "JournalWriter",
    "OtherInstance",
]

"""The snapshot process: keeps an engine of its own beside the journal and writes its image."""

import os
import signal
import threading
from pathlib import Path
from time import monotonic
from types import FrameType

from matching.client import beat
from matching.journal import JournalReader
from matching.runtime.log import log
from matching.runtime.replay import advance
from matching.snapshot import newest_engine, write_snapshot

POLL_S = 1.0
LOWEST = 19


def keep_snapshots(journal_dir: Path, instance: str, every_commands: int) -> None:
    """Write a snapshot whenever so many commands have come since the last; until SIGTERM."""
    stopping = threading.Event()

    def stop(signal_number: int, frame: FrameType | None) -> None:
        stopping.set()

    # Lowest for processor and, by it, disk; not SCHED_IDLE, which a busy machine never serves.
    os.nice(LOWEST)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    journal_dir.mkdir(parents=True, exist_ok=True)
    engine = newest_engine(
        journal_dir,
        instance,
        passed_over=lambda damaged: log("snapshot_damaged", what=str(damaged)),
    )
    written = engine.sequence
    reader = JournalReader(journal_dir, after_sequence=written, instance=instance)
    log("snapshots_started", sequence=written, every_commands=every_commands)
    while not stopping.is_set():
        beat(engine.sequence)
        advance(engine, reader)
        if engine.sequence - written >= every_commands:
            begun = monotonic()
            path = write_snapshot(journal_dir, instance, engine)
            written = engine.sequence
            seconds = round(monotonic() - begun, 3)
            log("snapshot_written", path=str(path), sequence=written, seconds=seconds)
        stopping.wait(POLL_S)
    reader.close()

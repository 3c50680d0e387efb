"""Start and stop of the engine process, which leads or stands by."""

import gc
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from matching.journal import JournalDamaged, JournalWriter
from matching.journal.format import segment_path
from matching.protocol.faults import crash_point
from matching.runtime.feed import Feed
from matching.runtime.lease import FileLease, Lease, LeaseHeld, NotInSync, lock, sync_folder
from matching.runtime.log import log
from matching.runtime.pipeline import Pipeline
from matching.runtime.publisher import Publisher, published_sequence
from matching.runtime.recovery import recover
from matching.runtime.replication import Replication
from matching.runtime.server import Server
from matching.runtime.settings import Settings
from matching.runtime.standby import Hot, stand_by
from matching.stream import Stream

PUBLISHER_CLOSE_S = 5.0
# Containers more than when last collected: exceptions leave a cycle now and then.
COLLECTED_AT = 100_000
WRITER = "writer"


def run(settings: Settings) -> None:
    """Recover, serve until SIGTERM or SIGINT, drain; stand by before that while another leads.

    Raises `LeaseHeld` or `NotInSync` when there is no feed to stand by at, `JournalDamaged`,
    `OtherInstance` and `JournalParted` before the socket exists; `Fenced` after the drain and
    `LeaseLost` at once when another engine leads; `OSError` when the journal cannot be synced,
    `JournalUnwritable` when a standby was to go on instead.
    """
    settings.own_journal.mkdir(parents=True, exist_ok=True)
    # Two processes on one journal would garble it, whatever the lease says of them.
    writer = lock(settings.own_journal / WRITER, f"journal {settings.own_journal}")
    lease = _lease(settings)
    stopping = threading.Event()
    hot: Hot | None = None
    try:
        lease.take()
    except (LeaseHeld, NotInSync):
        if not settings.feed:
            raise
        _stop_by_signal(stopping.set)
        hot = stand_by(settings, lease, stopping)
        if hot is None:
            log("stopped")
            return
    _lead(settings, lease, hot, stopping)
    os.close(writer)


def _lease(settings: Settings) -> Lease:
    file = FileLease(settings.journal_dir, settings.node)
    if not settings.lease_url:
        return file
    # Loaded here: an engine on one host does without a database.
    from matching.runtime.row_lease import RowLease

    return RowLease(settings.lease_url, settings.instance, settings.node, file.standing())


def _lead(settings: Settings, lease: Lease, hot: Hot | None, stopping: threading.Event) -> None:
    stream = Stream(settings.redis_url, settings.instance)
    published = published_sequence(stream)
    hot = _recovered(settings, published) if hot is None else _proved(settings, hot, published)
    engine = hot.engine
    point_leader(settings.journal_dir, settings.node)
    known = engine.sequence if published is None else published
    publisher = Publisher(stream, lease.epoch, known, lambda: server.stop())
    replication = Replication(settings.own_journal, settings.instance, lease, engine.sequence)
    pipeline = Pipeline(engine, hot.journal, publisher, replication, lease, settings.instance)
    feed = Feed(settings.feed, replication) if settings.feed else None
    crash_point("standby.before_listening")
    server = Server(settings.socket_path, pipeline, hot.journal.batch_bytes_max, feed, hot.handed)
    _stop_by_signal(server.stop)
    if stopping.is_set():
        server.stop()
    publisher.start(hot.unpublished)
    # Orders form no cycles: what is alive need hardly ever be looked at by the collector.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AT)
    log("ready", epoch=lease.epoch, sequence=engine.sequence, socket=str(settings.socket_path))
    server.serve()
    if server.handed_over:
        # What the stream lacks, the next leader publishes, which fences this one.
        lease.release()
        log("stopped", sequence=engine.sequence)
        return
    publisher.close(PUBLISHER_CLOSE_S)
    hot.journal.close()
    lease.release()
    log("stopped", sequence=engine.sequence)
    if publisher.fenced is not None:
        raise publisher.fenced


def _recovered(settings: Settings, published: int | None) -> Hot:
    """Return an engine rebuilt from its journal."""
    recovered = recover(settings.own_journal, settings.instance, published)
    journal = JournalWriter(
        settings.own_journal,
        settings.instance,
        end=recovered.end,
        segment_bytes=settings.segment_bytes,
    )
    recovered.end.close()
    return Hot(recovered.engine, journal, recovered.unpublished)


def _proved(settings: Settings, hot: Hot, published: int | None) -> Hot:
    """Return an engine that stood by, with what the stream lacks. Raises `JournalDamaged`."""
    sequence = hot.engine.sequence
    if published is None:
        return Hot(hot.engine, hot.journal, (), hot.handed)
    if sequence < published:
        what = f"the journal ends here, but sequence {published} was reached"
        path = segment_path(settings.own_journal, sequence + 1)
        raise JournalDamaged(path, 0, sequence + 1, what)
    lacking = [entry for entry in hot.unpublished if entry.last_sequence > published]
    return Hot(hot.engine, hot.journal, lacking, hot.handed)


def point_leader(journal_dir: Path, node: str) -> None:
    """Point the link by which followers find the journal to the leader's, at once and durably."""
    temporary = journal_dir / "leader.tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(node or ".")
    temporary.rename(journal_dir / "leader")
    sync_folder(journal_dir)


def _stop_by_signal(stop: Callable[[], None]) -> None:
    def stopped(signal_number: int, frame: FrameType | None) -> None:
        stop()

    signal.signal(signal.SIGTERM, stopped)
    signal.signal(signal.SIGINT, stopped)

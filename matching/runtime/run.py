"""Start and stop of the engine process."""

import gc

from matching.journal import JournalWriter
from matching.runtime.lease import Lease
from matching.runtime.log import log
from matching.runtime.pipeline import Pipeline
from matching.runtime.publisher import Publisher, published_sequence
from matching.runtime.recovery import recover
from matching.runtime.server import Server
from matching.runtime.settings import Settings
from matching.stream import Stream

PUBLISHER_CLOSE_S = 5.0
# Containers more than when last collected: exceptions leave a cycle now and then.
COLLECTED_AT = 100_000


def run(settings: Settings) -> None:
    """Recover, serve until SIGTERM or SIGINT, drain.

    Raises `LeaseHeld`, `JournalDamaged`, `OtherInstance` before the socket exists; `Fenced` after
    the drain when another engine leads; `OSError` when the journal cannot be synced.
    """
    settings.journal_dir.mkdir(parents=True, exist_ok=True)
    lease = Lease(settings.journal_dir)
    stream = Stream(settings.redis_url, settings.instance)
    published = published_sequence(stream)
    recovered = recover(settings.journal_dir, settings.instance, published)
    engine = recovered.engine
    journal = JournalWriter(
        settings.journal_dir,
        settings.instance,
        end=recovered.end,
        segment_bytes=settings.segment_bytes,
    )
    recovered.end.close()
    known = engine.sequence if published is None else published
    publisher = Publisher(stream, lease.epoch, known, lambda: server.stop())
    pipeline = Pipeline(engine, journal, publisher, settings.instance, lease.epoch)
    server = Server(settings.socket_path, pipeline, journal.batch_bytes_max)
    server.handle_signals()
    publisher.start(recovered.unpublished)
    # Orders form no cycles: what is alive need hardly ever be looked at by the collector.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AT)
    log("ready", epoch=lease.epoch, sequence=engine.sequence, socket=str(settings.socket_path))
    server.serve()
    publisher.close(PUBLISHER_CLOSE_S)
    journal.close()
    lease.release()
    log("stopped", sequence=engine.sequence)
    if publisher.fenced is not None:
        raise publisher.fenced

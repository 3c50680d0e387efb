"""The sequencer: numbers without a gap, time that never goes back."""

import socket
import uuid
from pathlib import Path

from matching.engine import Engine
from matching.journal import JournalReader, JournalWriter
from matching.journal.format import SEGMENT_BYTES_MIN
from matching.protocol.codec import Request
from matching.protocol.commands import CancelAll
from matching.protocol.queries import GetBook
from matching.runtime.connection import Connection
from matching.runtime.lease import FileLease
from matching.runtime.pipeline import Pipeline
from matching.runtime.publisher import Publisher
from matching.runtime.replication import Replication
from matching.stream import Stream

INSTANCE = str(uuid.UUID(int=1))


def test_time_rises_and_sequence_counts_when_the_clock_goes_backwards(
    tmp_path: Path,
) -> None:
    journal = JournalWriter(
        tmp_path, INSTANCE, end=JournalReader(tmp_path), segment_bytes=SEGMENT_BYTES_MIN
    )
    stream = Stream("unix:///nowhere", INSTANCE)
    lease = FileLease(tmp_path, "")
    lease.take()
    times = iter((1_000, 500, 1_001, 0, 60 * 10**9, 10**9))
    pipeline = Pipeline(
        Engine(),
        journal,
        Publisher(stream, 1, 0, print),
        Replication(tmp_path, INSTANCE, lease, 0),
        lease,
        INSTANCE,
        now_ns=lambda: next(times),
    )
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    for _ in range(6):
        requests = [Request(1, CancelAll(1)), Request(2, GetBook(1)), Request(3, CancelAll(1))]
        assert list(pipeline.process([(connection, requests)])) == []
    reader = JournalReader(tmp_path)
    records = []
    while (batch := reader.next_batch()) is not None:
        records += batch
    assert [record.sequence for record in records] == list(range(1, 13))
    minute = 60 * 10**9
    assert [record.time_ns for record in records] == [
        1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007,
        minute, minute + 1, minute + 2, minute + 3,
    ]  # fmt: skip
    for sock in (ours, theirs):
        sock.close()
    reader.close()
    journal.close()
    lease.release()

"""Wire form: msgpack in frames of a 4-byte big-endian length; also the body of a stream entry."""

import struct
from collections.abc import Sequence
from itertools import chain

import msgspec

from matching.protocol.commands import AnyCommand
from matching.protocol.events import AnyEvent, Applied
from matching.protocol.queries import AnyQuery, AnyReply

FRAME_HEADER = struct.Struct(">I")
REQUEST_BYTES_MAX = 1 << 16
ANSWER_BYTES_MAX = 1 << 28
# What decoding may raise: no message, no UTF-8, or nested beyond the interpreter's limit.
Undecodable = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Request(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One question on a connection; `request_id` is the client's own and comes back unread."""

    request_id: int
    body: AnyCommand | AnyQuery


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=1):
    """The answer to a command: what it did, once journal and standby hold it.

    Sequence 0 says that the command was never sequenced: its one event is a `Refused`.
    """

    request_id: int
    sequence: int
    time_ns: int
    events: tuple[AnyEvent, ...]


class QueryAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=2):
    request_id: int
    reply: AnyReply


class StreamEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Engine batches as published; `after_sequence` is the last one of the entry before it."""

    after_sequence: int
    applied: tuple[Applied, ...]

    @property
    def last_sequence(self) -> int:
        return self.applied[-1].sequence


def joined(entries: Sequence[StreamEntry]) -> StreamEntry:
    """Return entries that follow each other as one."""
    if len(entries) == 1:
        return entries[0]
    applied = chain.from_iterable(entry.applied for entry in entries)
    return StreamEntry(entries[0].after_sequence, tuple(applied))


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
request_decode = msgspec.msgpack.Decoder(Request).decode
answer_decode = msgspec.msgpack.Decoder(Answer | QueryAnswer).decode
stream_entry_decode = msgspec.msgpack.Decoder(StreamEntry).decode


def frame(message: bytes) -> bytes:
    """Return the message behind its length."""
    return FRAME_HEADER.pack(len(message)) + message

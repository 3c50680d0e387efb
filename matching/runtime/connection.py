"""One client's connection: bounded buffers, frames in, answers out."""

import socket
from collections.abc import Iterable
from time import monotonic

import msgspec

from matching.protocol.codec import (
    FRAME_HEADER,
    REQUEST_BYTES_MAX,
    Answer,
    QueryAnswer,
    Request,
    encode,
    frame,
    request_decode,
)
from matching.protocol.commands import Advance
from matching.protocol.events import Refused
from matching.protocol.queries import Query
from matching.protocol.refusals import Refusal

READ_BYTES = 1 << 16
# Above this nothing more is read from a client until it has taken its answers.
UNSENT_BYTES_MAX = 1 << 20
CLIENT_CLOSED = "the client closed"

_lenient_decode = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw]).decode


class Connection:
    """Buffers of one client; `closing` says why it must be dropped, once it must."""

    def __init__(self, sock: socket.socket, received: bytes = b"", unsent: bytes = b"") -> None:
        sock.setblocking(False)
        self.sock = sock
        self.closing = ""
        # The selector's mask of what is waited for on the socket.
        self.awaited = 0
        self.progress_at = monotonic()
        self._received = bytearray(received)
        self._unsent = bytearray(unsent)
        # A whole frame (or the head of one that is too large) has been received.
        self.has_frame = self._frame_waits()

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client has not taken yet."""
        return len(self._unsent)

    @property
    def buffers(self) -> tuple[bytes, bytes]:
        """What was received and not taken, and what was answered and not sent."""
        return bytes(self._received), bytes(self._unsent)

    @property
    def takes_requests(self) -> bool:
        """Tell whether the client may be read from."""
        return not self.closing and len(self._unsent) < UNSENT_BYTES_MAX

    def receive(self) -> None:
        """Read what is there, once; only called while no whole frame waits, so this is bounded."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.closing = str(error)
            return
        if not data:
            self.closing = CLIENT_CLOSED
        self._received += data
        self.has_frame = self._frame_waits()

    def _frame_waits(self) -> bool:
        if len(self._received) < FRAME_HEADER.size:
            return False
        length: int = FRAME_HEADER.unpack_from(self._received)[0]
        return length > REQUEST_BYTES_MAX or len(self._received) >= FRAME_HEADER.size + length

    def requests(self, limit: int) -> list[Request]:
        """Take up to `limit` requests, and none behind a query: its reply may be large.

        What is no request is refused as malformed; without a readable id the connection ends.
        """
        taken: list[Request] = []
        received = bytes(self._received)
        end = 0
        while len(taken) < limit and (start := end + FRAME_HEADER.size) <= len(received):
            length: int = FRAME_HEADER.unpack_from(received, end)[0]
            if length > REQUEST_BYTES_MAX:
                self.closing = f"frame of {length} bytes, limit {REQUEST_BYTES_MAX}"
                break
            if start + length > len(received):
                break
            end = start + length
            try:
                request = request_decode(received[start:end])
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                self._refuse(received[start:end], str(error))
                if not self.takes_requests:
                    break
                continue
            if isinstance(request.body, Advance):
                self._refuse(received[start:end], "Advance is the sequencer's own command")
                continue
            taken.append(request)
            if isinstance(request.body, Query):
                break
        del self._received[:end]
        self.has_frame = self._frame_waits()
        return taken

    def _refuse(self, frame: bytes, why: str) -> None:
        try:
            request_id, _ = _lenient_decode(frame)
            self.answer([Answer(request_id, 0, 0, (Refused(Refusal.MALFORMED, why[:200]),))])
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
            self.closing = f"undecodable frame: {why[:200]}"

    def answer(self, answers: Iterable[Answer | QueryAnswer]) -> None:
        """Queue answers."""
        if not self._unsent:
            self.progress_at = monotonic()
        for answer in answers:
            self._unsent += frame(encode(answer))

    def send(self, limit: int | None = None) -> None:
        """Send what the client takes now, at most `limit` bytes."""
        if not self._unsent:
            return
        try:
            sent = self.sock.send(memoryview(self._unsent)[:limit])
        except BlockingIOError:
            return
        except OSError as error:
            self.closing = str(error)
            return
        self.progress_at = monotonic()
        del self._unsent[:sent]

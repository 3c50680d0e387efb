"""The wire as a client sees it: requests into frames, received bytes into answers."""

from collections.abc import Sequence
from itertools import count

from matching.protocol.codec import (
    ANSWER_BYTES_MAX,
    FRAME_HEADER,
    REQUEST_BYTES_MAX,
    Answer,
    QueryAnswer,
    Request,
    answer_decode,
    encode,
    frame,
)
from matching.protocol.commands import AnyCommand
from matching.protocol.queries import AnyQuery


def request_frame(request_id: int, body: AnyCommand | AnyQuery) -> bytes:
    """Return the frame of a request. Raises `ValueError` when the engine would not read it."""
    message = encode(Request(request_id, body))
    if len(message) > REQUEST_BYTES_MAX:
        raise ValueError(f"request of {len(message)} bytes, limit {REQUEST_BYTES_MAX}")
    return frame(message)


class Dialogue:
    """A connection's requests, numbered as they go out, and their answers, in the same order."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._asked = self._answered = 0

    def requests(self, bodies: Sequence[AnyCommand | AnyQuery]) -> bytes:
        """Return the frames of requests. Raises `ValueError` as `request_frame`."""
        first_id = self._asked + 1
        self._asked += len(bodies)
        return b"".join(map(request_frame, count(first_id), bodies))

    def answers(self, data: bytes) -> list[Answer | QueryAnswer]:
        """Return the answers that these bytes complete, in order.

        Raises `EOFError` at the connection's end, of a frame too large or an answer to what was not
        asked, one of `Undecodable`.
        """
        if not data:
            raise EOFError("the engine closed the connection")
        received = self._received
        received += data
        answers: list[Answer | QueryAnswer] = []
        offset = 0
        with memoryview(received) as view:
            while (start := offset + FRAME_HEADER.size) <= len(received):
                length: int = FRAME_HEADER.unpack_from(received, offset)[0]
                if length > ANSWER_BYTES_MAX:
                    raise EOFError(f"answer of {length} bytes, limit {ANSWER_BYTES_MAX}")
                if start + length > len(received):
                    break
                offset = start + length
                answers.append(self._expected(answer_decode(view[start:offset])))
        del received[:offset]
        return answers

    def _expected(self, answer: Answer | QueryAnswer) -> Answer | QueryAnswer:
        self._answered += 1
        if answer.request_id != self._answered or self._answered > self._asked:
            raise EOFError(f"answer to request {answer.request_id}, expected {self._answered}")
        return answer

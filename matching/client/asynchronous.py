"""Client of the engine's socket for an event loop: all its tasks share one pipelined connection."""

import asyncio
from pathlib import Path

import msgspec

from matching.client.connection import DEFAULT_TIMEOUT_S, WINDOW, EngineUnavailable
from matching.client.frames import AnswerReader, request_frame
from matching.protocol.codec import Answer, QueryAnswer
from matching.protocol.commands import AnyCommand
from matching.protocol.queries import AnyQuery, AnyReply


class AsyncEngineClient:
    """A client for the tasks of one event loop; what they send in one turn leaves in one write.

    Up to `WINDOW` requests are in flight, further ones wait. The timeout covers connecting, waiting
    and the answer. A connection on which one answer is overdue is given up with all in flight.
    """

    def __init__(self, socket_path: Path | str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._socket_path = str(socket_path)
        self._timeout_s = timeout_s
        self._window = asyncio.Semaphore(WINDOW)
        self._connecting = asyncio.Lock()
        self._connection: _Connection | None = None

    async def send(self, command: AnyCommand) -> Answer:
        """Send one command and return its answer; the journal holds the command by then.

        Commands are sequenced in the order of these calls, unless one has to wait. An answer with
        sequence 0 carries one `Refused` and was never sequenced. Raises `EngineUnavailable`. A
        task that is cancelled meanwhile must assume that its command has been applied.
        """
        answer = await self._exchange(command)
        assert type(answer) is Answer
        return answer

    async def ask(self, query: AnyQuery) -> AnyReply:
        """Ask a read-only question about the engine's present state. Raises `EngineUnavailable`."""
        answer = await self._exchange(query)
        assert type(answer) is QueryAnswer
        return answer.reply

    def close(self) -> None:
        """Close the connection, failing what is in flight; the next call opens another."""
        if self._connection is not None:
            self._connection.drop(EOFError("the connection was closed here"))

    async def _exchange(self, body: AnyCommand | AnyQuery) -> Answer | QueryAnswer:
        connection = None
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._window.acquire()
                try:
                    connection = await self._connected()
                    answered = connection.ask(body)
                except BaseException:
                    self._window.release()
                    raise
                return await answered
        except TimeoutError as error:
            overdue = TimeoutError(f"timed out after {self._timeout_s} s")
            if connection is not None:
                connection.drop(overdue)
            raise _unavailable(self._socket_path, overdue, sent=connection is not None) from error

    async def _connected(self) -> "_Connection":
        async with self._connecting:
            if self._connection is None or self._connection.lost:
                try:
                    _, self._connection = await asyncio.get_running_loop().create_unix_connection(
                        lambda: _Connection(self._socket_path, self._window), self._socket_path
                    )
                except OSError as error:
                    raise _unavailable(self._socket_path, error, sent=False) from error
            return self._connection


class _Connection(asyncio.Protocol):
    """One socket; every request that it took gives its place in the window back exactly once."""

    def __init__(self, socket_path: str, window: asyncio.Semaphore) -> None:
        self.lost = False
        self._socket_path = socket_path
        self._window = window
        self._loop = asyncio.get_running_loop()
        self._reader = AnswerReader()
        self._request_id = 0
        self._in_flight: dict[int, asyncio.Future[Answer | QueryAnswer]] = {}
        self._outgoing: list[bytes] = []

    def ask(self, body: AnyCommand | AnyQuery) -> asyncio.Future[Answer | QueryAnswer]:
        """Take a request and return its answer to come."""
        frame = request_frame(self._request_id + 1, body)
        self._request_id += 1
        if not self._outgoing:
            self._loop.call_soon(self._write)
        self._outgoing.append(frame)
        answered = self._in_flight[self._request_id] = self._loop.create_future()
        return answered

    def drop(self, error: Exception) -> None:
        """Give the connection up: all in flight may have been applied."""
        self.lost = True
        self._transport.abort()
        in_flight, self._in_flight = self._in_flight, {}
        for answered in in_flight.values():
            self._window.release()
            if not answered.done():
                answered.set_exception(_unavailable(self._socket_path, error, sent=True))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for answer in self._reader.feed(data):
                answered = self._in_flight.pop(answer.request_id, None)
                if answered is None:
                    raise EOFError(f"answer to request {answer.request_id}, which awaits none")
                self._window.release()
                if not answered.done():
                    answered.set_result(answer)
        except (EOFError, msgspec.DecodeError) as error:
            self.drop(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(exc or EOFError("the engine closed the connection"))

    def _write(self) -> None:
        frames, self._outgoing = self._outgoing, []
        if not self.lost:
            self._transport.write(b"".join(frames))


def _unavailable(socket_path: str, error: Exception, *, sent: bool) -> EngineUnavailable:
    what = "did not answer" if sent else "was sent nothing"
    return EngineUnavailable(
        f"engine at {socket_path} {what}: {error or type(error).__name__}", sent=sent
    )

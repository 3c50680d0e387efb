"""Client of the engine's socket for the tasks of an event loop."""

import asyncio
from asyncio import AbstractEventLoop, StreamReader, StreamWriter
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from weakref import WeakKeyDictionary

from matching.client.address import engine_address
from matching.client.connection import DEFAULT_TIMEOUT_S, READ_BYTES, WINDOW, EngineUnavailable
from matching.client.frames import Dialogue
from matching.client.patience import PATIENCE_S, RETRY_S, Patience, repeatable
from matching.protocol.codec import Answer, QueryAnswer, Undecodable
from matching.protocol.commands import AnyCommand
from matching.protocol.queries import AnyQuery, AnyReply


class AsyncEngineClient:
    """`EngineClient` for one event loop: its tasks share a connection and take turns on it."""

    def __init__(
        self,
        socket_path: Path | str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._socket_path = str(socket_path)
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._patience = Patience(patience_s)
        self._connection: _Connection | None = None

    async def send_many(self, commands: Sequence[AnyCommand]) -> list[Answer]:
        """Send commands pipelined, in order, and return their answers in the same order.

        The timeout covers a turn. Raises `EngineUnavailable`; then a prefix of the commands may
        have been applied, as when the task is cancelled meanwhile.
        """
        answers = await self._exchange(commands)
        assert all(type(answer) is Answer for answer in answers)
        return answers  # type: ignore[return-value]

    async def ask(self, query: AnyQuery) -> AnyReply:
        """Ask a read-only question about the engine's present state. Raises `EngineUnavailable`."""
        (answer,) = await self._exchange([query])
        assert type(answer) is QueryAnswer
        return answer.reply

    async def _exchange(
        self, bodies: Sequence[AnyCommand | AnyQuery]
    ) -> list[Answer | QueryAnswer]:
        async with self._turn:
            answers: list[Answer | QueryAnswer] = []
            for attempt in count(1):
                connection = await self._connected(may_be_sent=attempt > 1)
                try:
                    async with asyncio.timeout(self._timeout_s):
                        while len(answers) < len(bodies):
                            window = bodies[len(answers) : len(answers) + WINDOW]
                            await connection.exchange(window, answers)
                    self._patience.found()
                    break
                except (OSError, EOFError, *Undecodable) as error:
                    self.close()
                    if not repeatable(bodies[len(answers) :]) or not self._patience.lasts():
                        raise EngineUnavailable.silent(self._socket_path, error) from error
                    await asyncio.sleep(RETRY_S)
                except BaseException:
                    self.close()
                    raise
        return answers

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _connected(self, *, may_be_sent: bool) -> "_Connection":
        if self._connection is not None and self._connection.usable():
            return self._connection
        self.close()
        while True:
            try:
                async with asyncio.timeout(self._timeout_s):
                    streams = await asyncio.open_unix_connection(self._socket_path)
                break
            except OSError as error:
                if not self._patience.lasts():
                    raise EngineUnavailable.absent(
                        self._socket_path, error, sent=may_be_sent
                    ) from error
                await asyncio.sleep(RETRY_S)
        self._connection = _Connection(*streams)
        return self._connection


class _Connection:
    """One socket; a half-read answer makes it useless, so any failure closes it."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._dialogue = Dialogue()

    def usable(self) -> bool:
        """Tell whether the engine has not closed it, as far as the loop has seen."""
        return not self._reader.at_eof()

    async def exchange(
        self, bodies: Sequence[AnyCommand | AnyQuery], answers: list[Answer | QueryAnswer]
    ) -> None:
        """Add the answers to `answers` as they come; those that came stay when the rest fails."""
        awaited = len(answers) + len(bodies)
        self._writer.write(self._dialogue.requests(bodies))
        while len(answers) < awaited:
            answers += self._dialogue.answers(await self._reader.read(READ_BYTES))

    def close(self) -> None:
        self._writer.close()


_of_loops: WeakKeyDictionary[AbstractEventLoop, AsyncEngineClient] = WeakKeyDictionary()


def engine_of_loop() -> AsyncEngineClient:
    """Return the running event loop's client of the engine that the environment names."""
    loop = asyncio.get_running_loop()
    client = _of_loops.get(loop)
    if client is None:
        client = _of_loops[loop] = AsyncEngineClient(engine_address().socket_path)
    return client

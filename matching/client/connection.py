"""Blocking client of the engine's socket: commands in, answers out."""

import os
import select
import socket
import threading
import time
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path

from matching.client.address import engine_address
from matching.client.frames import Dialogue
from matching.client.patience import PATIENCE_S, RETRY_S, Patience, repeatable
from matching.protocol.codec import Answer, QueryAnswer, Undecodable
from matching.protocol.commands import AnyCommand
from matching.protocol.queries import AnyQuery, AnyReply

# Requests in flight on a connection: the engine stops reading from one that does not read answers.
WINDOW = 256
DEFAULT_TIMEOUT_S = 5.0
READ_BYTES = 1 << 16


class EngineUnavailable(Exception):
    """The engine did not answer; `sent` says whether a command may nevertheless have been applied.

    With `sent` false nothing reached the engine. With `sent` true (by then the client has repeated
    what may be repeated unseen, `patience.REPEATABLE`) the caller repeats the same command: a place
    with the same client order id, a credit or debit with the same reference, a definition or an
    opening answers with what the first one did and changes nothing twice; a repeated cancel or
    amend answers `unknown_order` or `unchanged` when the first one was applied.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent

    @classmethod
    def absent(cls, socket_path: str, error: OSError, *, sent: bool) -> "EngineUnavailable":
        """Say that none listens, whatever was sent to the one before."""
        return cls(f"no engine listens at {socket_path}: {error}", sent=sent)

    @classmethod
    def silent(cls, socket_path: str, error: Exception) -> "EngineUnavailable":
        """Say that the engine gave no answer to what may have reached it."""
        reason = error or type(error).__name__
        return cls(f"engine at {socket_path} did not answer: {reason}", sent=True)


class EngineClient:
    """A blocking client; thread-safe: every thread and forked child has its own connection."""

    def __init__(
        self,
        socket_path: Path | str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._socket_path = str(socket_path)
        self._timeout_s = timeout_s
        self._patience = Patience(patience_s)
        self._local = threading.local()

    def send(self, command: AnyCommand) -> Answer:
        """Send one command and return its answer; the journal holds the command by then.

        An answer with sequence 0 carries one `Refused` and was never sequenced (malformed, or the
        engine cannot write its journal). Raises `EngineUnavailable`.
        """
        return self.send_many([command])[0]

    def send_many(self, commands: Sequence[AnyCommand]) -> list[Answer]:
        """Send commands pipelined, in order, and return their answers in the same order.

        Raises `EngineUnavailable`; then a prefix of the commands may have been applied.
        """
        answers = self._exchange(commands)
        assert all(type(answer) is Answer for answer in answers)
        return answers  # type: ignore[return-value]

    def ask(self, query: AnyQuery) -> AnyReply:
        """Ask a read-only question about the engine's present state. Raises `EngineUnavailable`."""
        (answer,) = self._exchange([query])
        assert type(answer) is QueryAnswer
        return answer.reply

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def _exchange(self, bodies: Sequence[AnyCommand | AnyQuery]) -> list[Answer | QueryAnswer]:
        answers: list[Answer | QueryAnswer] = []
        for attempt in count(1):
            connection = self._connected(may_be_sent=attempt > 1)
            try:
                while len(answers) < len(bodies):
                    connection.exchange(bodies[len(answers) : len(answers) + WINDOW], answers)
                self._patience.found()
                break
            except (OSError, EOFError, *Undecodable) as error:
                self.close()
                if not repeatable(bodies[len(answers) :]) or not self._patience.lasts():
                    raise EngineUnavailable.silent(self._socket_path, error) from error
                time.sleep(RETRY_S)
            except BaseException:
                self.close()
                raise
        return answers

    def _connected(self, *, may_be_sent: bool) -> "_Connection":
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.usable():
            return connection
        self.close()
        while True:
            try:
                connection = _Connection(self._socket_path, self._timeout_s)
                break
            except OSError as error:
                if not self._patience.lasts():
                    raise EngineUnavailable.absent(
                        self._socket_path, error, sent=may_be_sent
                    ) from error
                time.sleep(RETRY_S)
        self._local.connection = connection
        return connection


class _Connection:
    """One socket; a half-read answer makes it useless, so any failure closes it."""

    def __init__(self, socket_path: str, timeout_s: float) -> None:
        self._process = os.getpid()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(socket_path)
        except BaseException:
            self._socket.close()
            raise
        self._dialogue = Dialogue()
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def usable(self) -> bool:
        """Tell whether the connection is this process's and the engine has not closed it."""
        if self._process != os.getpid():
            return False
        # Readable without a question means the stream's end, or an answer that nobody waits for.
        return not self._poll.poll(0)

    def exchange(
        self, bodies: Sequence[AnyCommand | AnyQuery], answers: list[Answer | QueryAnswer]
    ) -> None:
        """Add the answers to `answers` as they come; those that came stay when the rest fails."""
        awaited = len(answers) + len(bodies)
        self._socket.sendall(self._dialogue.requests(bodies))
        while len(answers) < awaited:
            answers += self._dialogue.answers(self._socket.recv(READ_BYTES))

    def close(self) -> None:
        self._socket.close()


@cache
def engine() -> EngineClient:
    """Return this process's client of the engine that the environment names."""
    return EngineClient(engine_address().socket_path)

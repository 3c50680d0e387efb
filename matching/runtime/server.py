"""The socket server: takes all frames that wait as one batch, and hands it to the pipeline."""

import selectors
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from matching.runtime.addresses import Listening
from matching.runtime.connection import CLIENT_CLOSED, Connection
from matching.runtime.feed import ACKNOWLEDGED_WITHIN_S, ALIVE_EVERY_S, Client, Feed
from matching.runtime.log import log
from matching.runtime.pipeline import COMMANDS_MAX, Asked, Pipeline

# Below the 1,024 files that a process may usually open.
CONNECTIONS_MAX = 512
# Of one connection in one batch, so that nobody is crowded out; in bytes, what its buffer can hold
# (twice 64 KiB) and what that grows by in the journal.
COMMANDS_PER_CONNECTION_MAX = 256
CONNECTION_BYTES_MAX = 160 << 10
STALLED_S = 30.0
DRAIN_S = 3.0
TICK_S = 1.0
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Server:
    """One thread, one selector; a client that misbehaves loses its own connection only."""

    def __init__(
        self,
        socket_path: Path,
        pipeline: Pipeline,
        batch_bytes_max: int,
        feed: Feed | None = None,
        handed: Sequence[Client] = (),
    ) -> None:
        self.handed_over = False
        self._pipeline = pipeline
        self._batch_bytes_max = batch_bytes_max
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, Connection] = {}
        self._ready: dict[Connection, None] = {}
        self._stopping = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_out, _READ, self._woken)
        self._feed = feed
        if feed is not None:
            self._selector.register(feed, _READ, lambda mask: feed.handle())
        self._listening = Listening(str(socket_path), handed[0][0] if handed else None)
        self._selector.register(self._listening.sock, _READ, self._accept)
        for sock, received, unsent in handed[1:]:
            self._add(Connection(sock, received, unsent))

    def serve(self) -> None:
        """Serve until stopped; then answer what has been received and close."""
        ticked_at = monotonic()
        while not self._stopping and not self.handed_over:
            for key, mask in self._selector.select(self._pause_s()):
                key.data(mask)
            self._pipeline.require_lease()
            self._process()
            if self._feed is not None:
                self._feed.turn(self._pipeline.published_sequence)
                if self._feed.asked_to_hand_over:
                    self._hand_over(self._feed)
            if monotonic() - ticked_at > TICK_S:
                ticked_at = monotonic()
                self._drop_stalled()
        if not self.handed_over:
            self._drain()
        if self._feed is not None:
            self._feed.close()

    def _hand_over(self, feed: Feed) -> None:
        """Let the standby serve the clients, who notice nothing, or let them go to it."""
        clients = [(self._listening.sock, b"", b"")]
        clients += [(each.sock, *each.buffers) for each in self._connections.values()]
        handed = feed.hand_over(clients, self._pipeline.sequence)
        self.handed_over = handed is True
        self._stopping = self._stopping or handed is None

    def _pause_s(self) -> float:
        """Return how long nothing need be done unless a socket is ready."""
        if self._ready or (self._feed is not None and self._feed.busy):
            return 0
        return min(self._pipeline.due_in_s(), TICK_S if self._feed is None else ALIVE_EVERY_S)

    def stop(self) -> None:
        """Ask `serve` to end; safe from any thread and from signal handlers."""
        self._stopping = True
        try:
            self._wake_in.send(b"\0")
        except BlockingIOError:
            return  # a full pipe wakes as well

    def _woken(self, mask: int) -> None:
        self._wake_out.recv(1 << 10)

    def _accept(self, mask: int) -> None:
        try:
            sock, _ = self._listening.sock.accept()
        except OSError as error:
            log("accept_failed", what=str(error))
            return
        if len(self._connections) >= CONNECTIONS_MAX:
            log("connection_refused", connections=len(self._connections))
            sock.close()
            return
        self._add(Connection(sock))

    def _add(self, connection: Connection) -> None:
        self._connections[connection.sock.fileno()] = connection
        self._selector.register(connection.sock, _READ, partial(self._handle, connection))
        connection.awaited = _READ
        self._attend(connection)

    def _handle(self, connection: Connection, mask: int) -> None:
        if mask & _WRITE:
            connection.send()
        if mask & _READ and not connection.has_frame:
            connection.receive()
        self._attend(connection)

    def _attend(self, connection: Connection) -> None:
        """Drop a connection, or decide what to wait for on it."""
        if connection.closing:
            self._drop(connection)
            return
        events = _READ if connection.takes_requests else 0
        if connection.has_frame and events:
            self._ready[connection] = None
        else:
            self._ready.pop(connection, None)
        if connection.unsent:
            events |= _WRITE
        if connection.awaited != events:
            connection.awaited = events
            key = self._selector.get_key(connection.sock)
            self._selector.modify(connection.sock, events, key.data)

    def _process(self) -> None:
        """Hand what waits to the pipeline as one batch; who was served goes behind the others."""
        asked: list[Asked] = []
        commands = 0
        room = self._batch_bytes_max
        while self._ready and commands < COMMANDS_MAX and room >= CONNECTION_BYTES_MAX:
            connection = next(iter(self._ready))
            del self._ready[connection]
            requests = connection.requests(
                min(COMMANDS_PER_CONNECTION_MAX, COMMANDS_MAX - commands)
            )
            asked.append((connection, requests))
            commands += len(requests)
            room -= CONNECTION_BYTES_MAX
        if asked or self._pipeline.due_in_s() == 0:
            until = monotonic() + ACKNOWLEDGED_WITHIN_S
            for _ in self._pipeline.process(asked):
                assert self._feed is not None
                self._feed.attend(until)
        for connection, _ in asked:
            self._attend(connection)

    def _drop(self, connection: Connection) -> None:
        if connection.closing != CLIENT_CLOSED:
            log("connection_dropped", why=connection.closing)
        self._ready.pop(connection, None)
        self._selector.unregister(connection.sock)
        del self._connections[connection.sock.fileno()]
        connection.sock.close()

    def _drop_stalled(self) -> None:
        """Drop who has not taken a byte of its answers for too long."""
        limit = monotonic() - STALLED_S
        for connection in list(self._connections.values()):
            if connection.unsent and connection.progress_at < limit:
                connection.closing = f"took no answers for {STALLED_S:.0f} s"
                self._drop(connection)

    def _drain(self) -> None:
        """Take once more what waits on each connection, answer every whole frame, then close."""
        self._selector.unregister(self._listening.sock)
        self._listening.close()
        for connection in list(self._connections.values()):
            if not connection.has_frame and connection.takes_requests:
                connection.receive()
            self._attend(connection)
        until = monotonic() + DRAIN_S
        while monotonic() < until:
            self._process()
            unsent = [each for each in self._connections.values() if each.unsent]
            if not unsent and not self._ready:
                break
            for key, mask in self._selector.select(0 if self._ready else 0.05):
                if mask & _WRITE:
                    key.data(_WRITE)
        for connection in list(self._connections.values()):
            connection.closing = CLIENT_CLOSED
            self._drop(connection)
        self._selector.close()

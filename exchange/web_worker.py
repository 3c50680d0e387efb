"""The server's worker process: keeps a busy connection in its thread between two requests.

Handing a connection to the poller and back takes a third of what an order takes altogether. What
must not live here: anything about requests (exchange.wsgi).
"""

import select
import time
from collections import deque
from socket import socket
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

# How long a thread waits for a connection's next request while no other connection waits for it.
LINGER_MS = 5
# By how much a worker lets others go first, for each connection it has, when a new one comes.
HESITATE_S = 0.0002
HESITATE_MAX_S = 0.002


class LingeringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """A worker of threads, each of which stays with a connection as long as that is busy."""

    def init_process(self) -> None:
        """Begin with nobody waiting for a thread."""
        self._waiting: deque[TConn] = deque()
        super().init_process()

    def accept(self, listener: socket) -> None:
        """Take a new connection unless a worker with fewer took it first.

        One that came to run first would take all of a crowd that connects at once, and the other
        workers nothing, for as long as these connections are kept.
        """
        time.sleep(min(self.nr_conns * HESITATE_S, HESITATE_MAX_S))
        super().accept(listener)

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to the threads."""
        self._waiting.append(conn)
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """Answer requests of a connection until it is silent, closed, or others wait."""
        self._waiting.popleft()
        kept = super().handle(conn)
        while kept is True and self.alive and not self._waiting and _readable(conn):
            kept = super().handle(conn)
        return kept


def _readable(conn: TConn) -> bool:
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(LINGER_MS))

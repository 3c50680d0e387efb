"""Where a leader listens: a Unix path, which the next leader takes over, or host:port."""

import os
import socket
from contextlib import suppress

CONNECT_TIMEOUT_S = 1.0
BACKLOG = 512


class Listening:
    """A listening socket, non-blocking; a path that was there before is the last leader's."""

    def __init__(self, address: str, handed: socket.socket | None = None) -> None:
        self._path = address if "/" in address else ""
        if handed is not None:
            self.sock = handed
        elif self._path:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.bind(self._path)
            self.sock.listen(BACKLOG)
        else:
            self.sock = socket.create_server(_host_port(address), backlog=BACKLOG)
        self.sock.setblocking(False)
        self._inode = os.stat(self._path).st_ino if self._path else 0

    def close(self) -> None:
        """Close it, and remove the path unless another leader listens there by now."""
        self.sock.close()
        with suppress(FileNotFoundError):
            if self._path and os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)


def connected(address: str) -> socket.socket:
    """Return a socket connected to an address. Raises `OSError`."""
    if "/" not in address:
        sock = socket.create_connection(_host_port(address), CONNECT_TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(CONNECT_TIMEOUT_S)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)

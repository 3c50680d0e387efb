"""A lean crowd of traders: signed orders over a few kept connections, one in flight on each.

Runs in a process of its own on the same machine as the exchange; signing, sending and reading are
part of what is measured.
"""

import random
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from exchange.members.signing import request_sign

PATH = "/v1/orders"
_encode = msgspec.json.encode


class Terms(msgspec.Struct, frozen=True):
    """What to trade in a market: decimal strings near its base price, and quantities."""

    symbol: str
    prices: tuple[str, ...]
    quantities: tuple[str, ...]


class Key(msgspec.Struct, frozen=True):
    """A member's API key."""

    access_key: str
    secret: str


class Plan(msgspec.Struct, frozen=True):
    """A round: who trades what, where, on how many connections, for how long."""

    url: str
    keys: tuple[Key, ...]
    markets: tuple[Terms, ...]
    connections: int
    seconds: float
    seed: int


class Outcome(msgspec.Struct, frozen=True):
    """Accepted orders, how long they took, and what was refused, by status."""

    accepted: int
    seconds: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    refused: dict[int, int]
    sample: str


@dataclass
class _Line:
    """One connection and its order in flight."""

    sock: socket.socket
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def answer(self) -> tuple[int, bytes] | None:
        """Return status and body once the whole answer is here."""
        self.received += self.sock.recv(1 << 16)
        head = self.received.find(b"\r\n\r\n")
        if head < 0:
            if not self.received:
                raise ConnectionError("the door closed a connection")
            return None
        mark = self.received.index(b"content-length:") + 15
        length = int(self.received[mark : self.received.index(b"\r\n", mark)])
        if len(self.received) < head + 4 + length:
            return None
        status, body = int(self.received[9:12]), bytes(self.received[head + 4 :])
        self.received.clear()
        return status, body


class Crowd:
    """Draws orders by a seed, and keeps every connection busy."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # Seeded by the clock too: ids and nonces of another run may stand still.
        self._draw = random.Random(f"{plan.seed} {time.time_ns()}")
        address = urlsplit(plan.url)
        self._host = address.netloc
        self._lines: dict[int, _Line] = {}
        self._poll = select.epoll()
        for _ in range(plan.connections):
            sock = socket.create_connection((address.hostname, address.port), timeout=10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._lines[sock.fileno()] = _Line(sock)
            self._poll.register(sock, select.EPOLLIN)

    def trade(self) -> Outcome:
        """Trade for the plan's seconds, then take the answers still under way."""
        took: list[float] = []
        refused: dict[int, int] = {}
        sample = ""
        started = time.perf_counter()
        until = started + self._plan.seconds
        for line in self._lines.values():
            self._send(line)
        waiting = len(self._lines)
        while waiting:
            for number, _ in self._poll.poll():
                line = self._lines[number]
                answer = line.answer()
                if answer is None:
                    continue
                now = time.perf_counter()
                if answer[0] == 201:
                    took.append(now - line.sent_at)
                else:
                    refused[answer[0]] = refused.get(answer[0], 0) + 1
                    sample = answer[1].decode(errors="replace")
                if now < until:
                    self._send(line)
                else:
                    waiting -= 1
        seconds = time.perf_counter() - started
        return _outcome(took, seconds, refused, sample)

    def close(self) -> None:
        """Close all connections."""
        for line in self._lines.values():
            line.sock.close()

    def _send(self, line: _Line) -> None:
        draw = self._draw
        market = draw.choice(self._plan.markets)
        body = _encode(
            {
                "client_order_id": f"{draw.getrandbits(128):032x}",
                "instrument": market.symbol,
                "side": draw.choice(("buy", "sell")),
                "price": draw.choice(market.prices),
                "quantity": draw.choice(market.quantities),
            }
        )
        key = draw.choice(self._plan.keys)
        nonce = f"{draw.getrandbits(128):032x}"
        header = request_sign(key.access_key, key.secret, "POST", PATH, body=body, nonce=nonce)
        line.sent_at = time.perf_counter()
        line.sock.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: {header}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )


def _outcome(
    took: Sequence[float], seconds: float, refused: dict[int, int], sample: str
) -> Outcome:
    ordered = sorted(took) or [0.0]

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1_000, 2)

    return Outcome(len(took), seconds, at(0.5), at(0.99), at(1), refused, sample)


def trade(document: bytes) -> bytes:
    """Carry out a plan and return the outcome, both as JSON."""
    crowd = Crowd(msgspec.json.decode(document, type=Plan))
    try:
        return _encode(crowd.trade())
    finally:
        crowd.close()

"""A live engine fed garbage stays up and lean and serves others; the long runs of all readers."""

import os
import resource
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from matching.protocol.codec import Request, encode, frame
from matching.protocol.commands import AmendOrder, CancelAll, CancelOrder, Debit, OpenAccount
from matching.protocol.events import OrdersCancelled
from matching.protocol.queries import GetBalances, GetBook, GetMovement, GetOpenOrders, GetStatus
from tests.matching.garbage import bent
from tests.matching.market import BOB, BUY, CAROL, GOLD, KRW, opening, order
from tests.matching.processes import EngineHost, flow

REPOSITORY = Path(__file__).parents[3]
READERS = ("journal/test_garbage.py", "protocol/test_codec.py", "test_snapshot.py")
LONG_EXAMPLES = "10000"
# Above what the process takes before its first input, below what one wrong length would ask for.
ADDRESS_SPACE_BYTES = 3 << 30
# What the engine may keep of what it was told: references, client order ids, accounts.
GROWTH_BYTES = 24 << 20

MESSAGES = [
    encode(Request(number, body))
    for number, body in enumerate(
        [
            *opening(),
            *flow(CAROL, 40),
            AmendOrder(CAROL, 30, 101, 1),
            CancelOrder(CAROL, 31),
            CancelOrder(CAROL, 0, "flow-3"),
            CancelAll(CAROL),
            Debit(CAROL, KRW, 1, "out-1"),
            OpenAccount(9, 9),
            GetBalances(0),
            GetBook(GOLD),
            GetMovement("out-1"),
            GetOpenOrders(0),
            GetStatus(),
        ]
    )
]


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _garbage(random: Random) -> bytes:
    """Return what a hostile client sends: bent messages in sound frames, bent frames, noise."""
    parts = []
    for _ in range(random.randint(1, 20)):
        message, other = random.choices(MESSAGES, k=2)
        match random.randint(0, 3):
            case 0:
                parts.append(bent(random, frame(message), other))
            case 1:
                parts.append(random.randbytes(random.randint(1, 300)))
            case _:
                parts.append(frame(bent(random, message, other)))
    return b"".join(parts)


def _feed(host: EngineHost, connections: int, seed: int) -> None:
    """Send garbage over so many connections, and orders over one; some are left open."""
    random = Random(seed)
    other = host.client()
    left_open: deque[socket.socket] = deque()
    before = 0
    for number in range(connections):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(10)
        sock.connect(str(host.address.socket_path))
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(_garbage(random))
        left_open.append(sock)
        while len(left_open) > random.randint(0, 40):
            left_open.popleft().close()
        if number % 10 == 0:
            # A bent command may have closed the market or frozen BOB: he is answered all the same.
            placed, cancelled = other.send_many(
                [order(BOB, BUY, 1, 1, client_order_id=f"{seed}-{number}"), CancelAll(BOB)]
            )
            assert placed.sequence, (seed, number, placed)
            assert isinstance(cancelled.events[-1], OrdersCancelled), (seed, number, cancelled)
        if number == connections // 4:
            before = _resident_bytes(host.pid)
    grown = _resident_bytes(host.pid) - before
    assert grown < GROWTH_BYTES, f"seed {seed}: {grown:,} bytes more"
    for sock in left_open:
        sock.close()
    other.close()


def test_engine_fed_garbage_stays_up_and_serves_others(running: EngineHost) -> None:
    _feed(running, 400, seed=1)
    status = running.status(with_state_hash=True)
    assert running.stop() == 0
    assert running.replay().state_hash == status.state_hash
    assert "Traceback" not in running.log


@pytest.mark.slow
def test_engine_fed_garbage_for_long_stays_up_and_serves_others(running: EngineHost) -> None:
    for seed in range(2, 12):
        _feed(running, 2_000, seed)
    status = running.status(with_state_hash=True)
    assert running.stop() == 0
    assert running.replay().state_hash == status.state_hash
    assert "Traceback" not in running.log


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_reader_of_much_garbage_keeps_within_its_memory(reader: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "bent or any"),
            f"tests/matching/{reader}",
        ],
        cwd=REPOSITORY,
        env={**os.environ, "NEXUS_GARBAGE_EXAMPLES": LONG_EXAMPLES},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES,) * 2),
        capture_output=True,
        text=True,
        timeout=3_600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

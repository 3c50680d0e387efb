"""The engine's socket: hostile and slow clients, a full disk, a second engine, an orderly end."""

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from matching.client import EngineUnavailable
from matching.journal.format import segments
from matching.protocol.codec import REQUEST_BYTES_MAX, Answer, Request, answer_decode, encode, frame
from matching.protocol.commands import Advance, CancelAll, SetHeartbeat
from matching.protocol.events import (
    Advanced,
    OrderAccepted,
    OrderRepeated,
    OrdersCancelled,
    Refused,
)
from matching.protocol.queries import GetOpenOrders, GetStatus
from matching.protocol.refusals import Refusal
from tests.matching.market import ALICE, BOB, BUY, SELL, order
from tests.matching.processes import EngineHost, flow
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def shared() -> Iterator[EngineHost]:
    """A running engine for tests that leave it as it was."""
    host = EngineHost()
    host.start()
    host.open_market()
    yield host
    host.close()


@contextmanager
def _raw(host: EngineHost) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(str(host.address.socket_path))
        yield sock


def _read_answer(sock: socket.socket) -> Answer:
    with sock.makefile("rb") as reader:
        answer = answer_decode(reader.read(int.from_bytes(reader.read(4))))
    assert isinstance(answer, Answer)
    return answer


def _is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_answers_come_in_the_order_of_requests_over_many_connections(shared: EngineHost) -> None:
    clients = [shared.client() for _ in range(20)]
    for place, client in enumerate(clients):
        commands = [CancelAll(1 + (place + each) % 4) for each in range(600)]
        answers = client.send_many(commands)
        accounts = [answer.events[0].account for answer in answers]  # type: ignore[union-attr]
        assert accounts == [command.account for command in commands]
        client.close()


def test_query_sees_the_commands_before_it_on_its_connection(shared: EngineHost) -> None:
    with _raw(shared) as sock:
        sock.sendall(
            frame(encode(Request(1, order(ALICE, SELL, 100, 1))))
            + frame(encode(Request(2, GetOpenOrders(ALICE))))
            + frame(encode(Request(3, CancelAll(ALICE))))
        )
        reader = sock.makefile("rb")
        answers = [answer_decode(reader.read(int.from_bytes(reader.read(4)))) for _ in range(3)]
    assert [answer.request_id for answer in answers] == [1, 2, 3]
    (open_order,) = answers[1].reply.orders
    assert open_order.order_id == answers[0].sequence
    assert answers[2].events[-1] == OrdersCancelled(ALICE, 1)


@pytest.mark.parametrize(
    "message",
    [
        encode([7, [7, ALICE, "x", 1, 1, 1, 1, 100]]),
        encode([7, [7, ALICE, "x", 1, 9, 1, 1, 100, 1]]),
        encode([7, [7, ALICE, "x", 1, 1, 1, 1, 100.5, 1]]),
        encode([7, [7, ALICE, "x", 1, 1, 1, 1, "100", 1]]),
        encode([7, [7, ALICE, None, 1, 1, 1, 1, 100, 1]]),
        encode([7, [99, 1]]),
        encode([7, "PlaceOrder"]),
        encode([7, {}]),
        encode(Request(7, Advance(1))),
    ],
)
def test_what_is_no_request_is_refused_as_malformed(shared: EngineHost, message: bytes) -> None:
    before = shared.status(with_state_hash=True)
    with _raw(shared) as sock:
        sock.sendall(frame(message))
        answer = _read_answer(sock)
        (refused,) = answer.events
        assert (answer.request_id, answer.sequence) == (7, 0)
        assert isinstance(refused, Refused) and refused.code == Refusal.MALFORMED
        sock.sendall(frame(encode(Request(8, CancelAll(ALICE)))))
        assert _read_answer(sock).request_id == 8
    after = shared.status(with_state_hash=True)
    assert (after.state_hash, after.sequence) == (before.state_hash, before.sequence + 1)


@pytest.mark.parametrize(
    "data",
    [
        frame(b""),
        frame(b"\xc1"),
        frame(b"GET / HTTP/1.1\r\n\r\n"),
        frame(encode(["x", [10, 1, 0]])),
        frame(b"\x92\x07" + b"\x91" * 5_000),
        (REQUEST_BYTES_MAX + 1).to_bytes(4),
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_undecodable_frame_ends_that_connection_alone(shared: EngineHost, data: bytes) -> None:
    other = shared.client()
    other.ask(GetStatus())
    with _raw(shared) as sock:
        sock.sendall(data)
        assert _is_closed(sock)
    other.send(CancelAll(ALICE))
    assert "connection_dropped" in shared.log


def test_client_that_takes_no_answers_is_held_up_alone(running: EngineHost) -> None:
    requests = b"".join(
        frame(encode(Request(place, each))) for place, each in enumerate(flow(ALICE, 200_000))
    )
    with _raw(running) as sock:
        sock.setblocking(False)
        sent = 0

        def stuck() -> bool:
            nonlocal sent
            try:
                sent += sock.send(requests[sent : sent + (1 << 20)])
            except BlockingIOError:
                return running.status().sequence == running.status().sequence
            return sent >= len(requests)

        wait_until(stuck)
        assert sent < len(requests), "the engine must stop reading"
        other = running.client()
        assert isinstance(other.send(order(BOB, BUY, 1, 1)).events[0], OrderAccepted)
        memory = Path(f"/proc/{running.pid}/statm").read_text().split()[1]
        assert int(memory) * os.sysconf("SC_PAGE_SIZE") < 300 << 20


def test_many_large_replies_do_not_pile_up(running: EngineHost) -> None:
    running.client().send_many(flow(ALICE, 2_000))
    with _raw(running) as sock:
        sock.sendall(b"".join(frame(encode(Request(n, GetOpenOrders(0)))) for n in range(5_000)))
        for _ in range(20):
            running.client().send(CancelAll(BOB))
        memory = Path(f"/proc/{running.pid}/statm").read_text().split()[1]
        assert int(memory) * os.sysconf("SC_PAGE_SIZE") < 200 << 20


def test_full_disk_refuses_orders_and_acknowledges_none(running: EngineHost) -> None:
    client = running.client()
    client.send_many(flow(ALICE, 300))
    before = running.status(with_state_hash=True)
    _, hard = resource.prlimit(running.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (4_096, hard))
    for answer in client.send_many(flow(BOB, 300)):
        (refused,) = answer.events
        assert isinstance(refused, Refused) and refused.code == Refusal.ENGINE_UNAVAILABLE
        assert answer.sequence == 0
    after = running.status(with_state_hash=True)
    assert (after.sequence, after.state_hash) == (before.sequence, before.state_hash)
    assert running.replay().state_hash == before.state_hash
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (hard, hard))
    for answer in client.send_many(flow(BOB, 300)):
        assert isinstance(answer.events[0], OrderAccepted)
    status = running.status(with_state_hash=True)
    assert running.stop() == 0
    assert running.replay().state_hash == status.state_hash
    assert "journal_unwritable" in running.log


def test_second_engine_is_refused_naming_the_first(running: EngineHost) -> None:
    done = running.run("run")
    assert done.returncode == 1
    assert f"process {running.pid} on {socket.gethostname()}" in done.stderr
    assert running.status().epoch == 1


def test_engine_refuses_the_journal_of_another_instance(running: EngineHost) -> None:
    assert running.stop() == 0
    env = running.environment() | {"NEXUS_INSTANCE_ID": "00000000-0000-0000-0000-000000000001"}
    done = subprocess.run(
        [sys.executable, "-m", "matching", "run"], env=env, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert running.address.instance in done.stderr
    assert "00000000-0000-0000-0000-000000000001" in done.stderr


def test_engine_refuses_a_damaged_middle_naming_it(running: EngineHost) -> None:
    running.client().send_many(flow(ALICE, 600))
    assert running.stop() == 0
    (_, segment) = segments(running.journal)[0]
    with segment.open("r+b") as file:
        file.seek(2_000)
        byte = file.read(1)
        file.seek(2_000)
        file.write(bytes([byte[0] ^ 1]))
    for arguments in (["run"], ["replay", str(running.journal)]):
        done = running.run(*arguments)
        assert done.returncode == 1
        assert str(segment) in done.stderr and "record of sequence" in done.stderr


def test_sigterm_answers_what_was_received_and_leaves_nothing(running: EngineHost) -> None:
    requests = [Request(place, each) for place, each in enumerate(flow(ALICE, 200))]
    with _raw(running) as sock:
        sock.sendall(frame(encode(Request(0, CancelAll(ALICE)))))
        assert _read_answer(sock).sequence
        sock.sendall(b"".join(frame(encode(each)) for each in requests))
        os.kill(running.pid, signal.SIGTERM)
        assert running.wait() == 0
        data = b""
        while chunk := sock.recv(1 << 16):
            data += chunk
    answered = []
    while data:
        size = int.from_bytes(data[:4])
        answered.append(answer_decode(data[4 : 4 + size]))
        data = data[4 + size :]
    assert not running.address.socket_path.exists()
    with pytest.raises(EngineUnavailable) as caught:
        running.client().send(CancelAll(ALICE))
    assert not caught.value.sent
    by_sequence = {applied.sequence: applied.events for applied in running.applied()}
    assert [answer.request_id for answer in answered] == list(range(200))
    for answer in answered:
        assert isinstance(answer, Answer) and by_sequence[answer.sequence] == answer.events


def test_repeat_over_a_restart_returns_the_same_orders(running: EngineHost) -> None:
    orders = flow(ALICE, 100)
    first = running.client().send_many(orders)
    assert running.stop() == 0
    running.start()
    for answer, again in zip(first, running.client().send_many(orders), strict=True):
        assert again.events == (
            OrderRepeated(answer.sequence, ALICE, again.events[0].client_order_id),  # type: ignore[union-attr]
        )
    assert running.status().epoch == 2


def test_idle_engine_wakes_up_when_something_is_due(running: EngineHost) -> None:
    client = running.client()
    assert isinstance(client.send(order(BOB, BUY, 1, 1)).events[0], OrderAccepted)
    client.send(SetHeartbeat(BOB, 10**8))
    wait_until(lambda: running.status().orders == 0)
    last = running.applied()[-1]
    assert [type(event) for event in last.events][-1] is Advanced
    assert last.sequence == running.status().sequence

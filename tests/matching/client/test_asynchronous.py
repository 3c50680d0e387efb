"""The client of an event loop: one connection for all, and what they learn when it is lost."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from matching.client import AsyncEngineClient, EngineUnavailable
from matching.client.connection import WINDOW
from matching.client.frames import AnswerReader
from matching.protocol.codec import FRAME_HEADER, Answer, Request, encode, frame, request_decode
from matching.protocol.commands import CancelAll, Credit
from matching.protocol.events import OrdersCancelled
from matching.protocol.queries import GetStatus, Status
from tests.matching.market import ALICE, KRW
from tests.matching.processes import EngineHost, flow


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket `s` of an engine that answers what it is told to."""
    # A short name, since a socket's path may not exceed 107 bytes.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("s")
        listener.listen()
        listener.setblocking(False)
        yield listener


@asynccontextmanager
async def _client(path: Path | str, timeout_s: float = 20) -> AsyncIterator[AsyncEngineClient]:
    client = AsyncEngineClient(path, timeout_s)
    yield client
    client.close()


@asynccontextmanager
async def _accepted(listener: socket.socket) -> AsyncIterator[socket.socket]:
    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    with connection:
        yield connection


async def _receive(connection: socket.socket, count: int) -> list[Request]:
    """Read so many requests."""
    received = bytearray()
    requests: list[Request] = []
    while len(requests) < count:
        received += await asyncio.get_running_loop().sock_recv(connection, 1 << 16)
        while len(received) >= FRAME_HEADER.size:
            end = FRAME_HEADER.size + int.from_bytes(received[: FRAME_HEADER.size])
            if len(received) < end:
                break
            requests.append(request_decode(bytes(received[FRAME_HEADER.size : end])))
            del received[:end]
    return requests


async def _answer(connection: socket.socket, requests: list[Request]) -> None:
    answers = b"".join(frame(encode(Answer(each.request_id, 1, 1, ()))) for each in requests)
    await asyncio.get_running_loop().sock_sendall(connection, answers)


async def _failure(awaited: Awaitable[object]) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as caught:
        await awaited
    return caught.value


def test_thousand_concurrent_commands_are_answered_each_with_its_own(running: EngineHost) -> None:
    orders = flow(ALICE, 1_000)

    async def play() -> list[Answer]:
        async with _client(running.address.socket_path) as client:
            return await asyncio.gather(*map(client.send, orders))

    before = running.status().sequence
    answers = asyncio.run(play())
    names = [answer.events[0].client_order_id for answer in answers]  # type: ignore[union-attr]
    assert names == [each.client_order_id for each in orders]
    assert [answer.sequence for answer in answers] == list(range(before + 1, before + 1_001))


def test_query_sees_the_commands_sent_before_it(running: EngineHost) -> None:
    async def play() -> None:
        async with _client(running.address.socket_path) as client:
            answer, status = await asyncio.gather(
                client.send(CancelAll(ALICE)), client.ask(GetStatus())
            )
            assert isinstance(status, Status) and status.sequence == answer.sequence

    asyncio.run(play())


def test_commands_of_one_turn_leave_in_one_write(listener: socket.socket) -> None:
    async def play() -> None:
        async with _client("s") as client:
            sent = [asyncio.create_task(client.send(CancelAll(1)))]
            async with _accepted(listener) as connection:
                await _answer(connection, await _receive(connection, 1))
                await sent[0]
                sent += [asyncio.create_task(client.send(CancelAll(1))) for _ in range(20)]
                data = await asyncio.get_running_loop().sock_recv(connection, 1 << 16)
                requests = [Request(2 + place, CancelAll(1)) for place in range(20)]
                assert data == b"".join(frame(encode(each)) for each in requests)
                await _answer(connection, requests)
                await asyncio.gather(*sent)

    asyncio.run(play())


def test_engine_killed_in_flight_may_have_applied_all(running: EngineHost) -> None:
    async def play() -> None:
        async with _client(running.address.socket_path) as client:
            await client.send(CancelAll(ALICE))
            os.kill(running.pid, signal.SIGSTOP)
            failures = [asyncio.create_task(_failure(client.send(each))) for each in flow(ALICE, 9)]
            # Two turns on, when they have left.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, os.kill, running.pid, signal.SIGKILL)
            assert all(failure.sent for failure in await asyncio.gather(*failures))
            assert running.wait() == -signal.SIGKILL
            assert not (await _failure(client.send(CancelAll(ALICE)))).sent
            running.start()
            assert (await client.send(CancelAll(ALICE))).events == (OrdersCancelled(ALICE, 0),)

    asyncio.run(play())


def test_overdue_answer_gives_the_connection_up(listener: socket.socket) -> None:
    async def play() -> None:
        async with _client("s", timeout_s=0.2) as client:
            failures = await asyncio.gather(*(_failure(client.send(CancelAll(n))) for n in (1, 2)))
            assert [failure.sent for failure in failures] == [True, True]
            again = asyncio.create_task(_failure(client.send(CancelAll(3))))
            async with _accepted(listener) as first, _accepted(listener) as second:
                assert [each.request_id for each in await _receive(first, 2)] == [1, 2]
                assert await _receive(second, 1) == [Request(1, CancelAll(3))]
                assert (await again).sent

    asyncio.run(play())


def test_commands_beyond_the_window_wait_for_answers(listener: socket.socket) -> None:
    async def play() -> None:
        async with _client("s") as client:
            sent = [asyncio.create_task(client.send(CancelAll(n))) for n in range(2 * WINDOW)]
            async with _accepted(listener) as connection:
                requests = await _receive(connection, WINDOW)
                assert [each.body for each in requests] == [CancelAll(n) for n in range(WINDOW)]
                with pytest.raises(BlockingIOError):
                    connection.recv(1)
                await _answer(connection, requests[:5])
                more = await _receive(connection, 5)
                assert [each.request_id for each in more] == [WINDOW + n for n in range(1, 6)]
                await _answer(connection, requests[5:] + more)
                await _answer(connection, await _receive(connection, WINDOW - 5))
                assert len(await asyncio.gather(*sent)) == 2 * WINDOW

    asyncio.run(play())


def test_answer_to_a_cancelled_task_is_passed_over(listener: socket.socket) -> None:
    async def play() -> None:
        async with _client("s") as client:
            given_up = asyncio.create_task(client.send(CancelAll(1)))
            async with _accepted(listener) as connection:
                requests = await _receive(connection, 1)
                given_up.cancel()
                other = asyncio.create_task(client.send(CancelAll(2)))
                await _answer(connection, requests + await _receive(connection, 1))
                assert (await other).request_id == 2 and given_up.cancelled()

    asyncio.run(play())


@pytest.mark.parametrize(
    "data", [b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", frame(encode(Answer(9, 1, 1, ()))), b""]
)
def test_engine_that_breaks_off_may_have_applied_it(listener: socket.socket, data: bytes) -> None:
    async def play() -> None:
        async with _client("s") as client:
            failure = asyncio.create_task(_failure(client.send(CancelAll(1))))
            async with _accepted(listener) as connection:
                await _receive(connection, 1)
                connection.sendall(data)
                if not data:
                    connection.shutdown(socket.SHUT_RDWR)
                assert (await failure).sent

    asyncio.run(play())


def test_refused_calls_give_their_places_back(running: EngineHost) -> None:
    async def play() -> None:
        async with _client(running.address.socket_path) as client:
            for _ in range(WINDOW + 1):
                with pytest.raises(ValueError, match="limit 65536"):
                    await client.send(Credit(ALICE, KRW, 1, "x" * 70_000))
            assert (await client.send(CancelAll(ALICE))).events == (OrdersCancelled(ALICE, 0),)

    asyncio.run(play())


@pytest.mark.parametrize("size", [1, 3, 7, 1 << 16])
def test_answers_are_the_same_however_they_arrive(size: int) -> None:
    answers = [Answer(n, n, n, (OrdersCancelled(ALICE, n),)) for n in range(1, 20)]
    data = b"".join(frame(encode(each)) for each in answers)
    reader = AnswerReader()
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    assert [answer for part in parts for answer in reader.feed(part)] == answers

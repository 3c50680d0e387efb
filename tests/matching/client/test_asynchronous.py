"""The client of an event loop: one connection for all, and what they learn when it is lost."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from matching.client import AsyncEngineClient, EngineUnavailable
from matching.client.connection import WINDOW
from matching.protocol.commands import CancelAll, Credit
from tests.matching.market import ALICE, KRW
from tests.matching.processes import EngineHost, flow


def test_many_tasks_get_the_answers_of_their_own_commands(running: EngineHost) -> None:
    orders = flow(ALICE, 2 * WINDOW + 100)
    parts = [orders[: 2 * WINDOW], orders[2 * WINDOW :], []]

    async def play() -> list[list[str]]:
        client = AsyncEngineClient(running.address.socket_path)
        answers = await asyncio.gather(*map(client.send_many, parts))
        client.close()
        return [[each.events[0].client_order_id for each in part] for part in answers]  # type: ignore[union-attr]

    found = asyncio.run(play())
    assert found == [[each.client_order_id for each in part] for part in parts]


def test_engine_that_does_not_listen_was_sent_nothing(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no engine listens") as caught:
        client = AsyncEngineClient(tmp_path / "none", patience_s=0.1)
        asyncio.run(client.send_many([CancelAll(1)]))
    assert not caught.value.sent


@pytest.mark.parametrize("answer", [b"", b"\0\0\0", b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", None])
def test_engine_that_breaks_off_may_have_applied_it(
    tmp_path: Path, answer: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a short name: a socket's path may not exceed 107 bytes
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("s")
        listener.listen()
        listener.setblocking(False)

        async def play() -> None:
            loop = asyncio.get_running_loop()
            client = AsyncEngineClient("s", timeout_s=0.2)
            sent = asyncio.create_task(client.send_many([CancelAll(1)]))
            connection, _ = await loop.sock_accept(listener)
            with connection:
                await loop.sock_recv(connection, 1 << 16)
                if answer is not None:
                    await loop.sock_sendall(connection, answer)
                    connection.shutdown(socket.SHUT_WR)
                with pytest.raises(EngineUnavailable, match="did not answer") as caught:
                    await sent
            assert caught.value.sent

        asyncio.run(play())


def test_client_connects_again_after_a_restart_and_after_a_cancelled_task(
    running: EngineHost,
) -> None:
    async def play() -> None:
        client = AsyncEngineClient(running.address.socket_path, patience_s=0.1)
        await client.send_many([CancelAll(ALICE)])
        os.kill(running.pid, signal.SIGKILL)
        assert await asyncio.to_thread(running.wait) == -signal.SIGKILL
        with pytest.raises(EngineUnavailable):
            await client.send_many([CancelAll(ALICE)])
        running.start()
        credit = Credit(ALICE, KRW, 1, "again")
        (first,) = await client.send_many([credit])
        os.kill(running.pid, signal.SIGSTOP)
        waiting = asyncio.create_task(client.send_many([CancelAll(ALICE)]))
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        os.kill(running.pid, signal.SIGCONT)
        (again,) = await client.send_many([credit])
        assert again.sequence > first.sequence
        client.close()

    asyncio.run(play())

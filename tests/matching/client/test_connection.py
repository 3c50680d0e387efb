"""The blocking client: what it may and may not say about a command it sent."""

import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from matching.client import EngineClient, EngineUnavailable, engine, engine_address
from matching.client.connection import WINDOW
from matching.protocol.commands import CancelAll, Credit
from matching.protocol.events import OrdersCancelled
from matching.protocol.queries import Balances, GetBalances
from tests.matching.market import ALICE, KRW
from tests.matching.processes import EngineHost, flow


def test_engine_that_does_not_listen_was_sent_nothing(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no engine listens") as caught:
        EngineClient(tmp_path / "none", patience_s=0.1).send(CancelAll(1))
    assert not caught.value.sent


@pytest.mark.parametrize("answer", [b"", b"\0\0\0", b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", None])
def test_engine_that_breaks_off_may_have_applied_it(
    tmp_path: Path, answer: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        monkeypatch.chdir(tmp_path)
        listener.bind("s")
        listener.listen()
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                if answer is None:
                    done.wait(10)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(EngineUnavailable, match="did not answer") as caught:
            EngineClient("s", timeout_s=0.2).send(CancelAll(1))
        assert caught.value.sent
        done.set()
        thread.join(10)


def test_client_connects_again_after_a_restart_of_the_engine(running: EngineHost) -> None:
    client = running.client()
    client.send(CancelAll(ALICE))
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    with pytest.raises(EngineUnavailable) as caught:
        client.send(CancelAll(ALICE))
    assert not caught.value.sent
    running.start()
    assert client.send(CancelAll(ALICE)).events == (OrdersCancelled(ALICE, 0),)


def test_answers_keep_the_order_of_commands_beyond_the_window(running: EngineHost) -> None:
    orders = flow(ALICE, 3 * WINDOW + 7)
    answers = running.client().send_many(orders)
    names = [answer.events[0].client_order_id for answer in answers]  # type: ignore[union-attr]
    assert names == [each.client_order_id for each in orders]
    assert running.client().send_many([]) == []


def test_threads_share_a_client(running: EngineHost) -> None:
    client = running.client()
    with ThreadPoolExecutor(8) as pool:
        credits = [Credit(ALICE, 77, 1, f"thread-{place}") for place in range(400)]
        answers = list(pool.map(client.send, credits))
    assert len({answer.sequence for answer in answers}) == 400
    reply = client.ask(GetBalances(ALICE))
    assert isinstance(reply, Balances)
    assert [each.available_units for each in reply.balances if each.asset == 77] == [400]


def test_request_beyond_the_frame_is_refused_before_it_is_sent(running: EngineHost) -> None:
    client = running.client()
    with pytest.raises(ValueError, match="limit 65536"):
        client.send(Credit(ALICE, KRW, 1, "x" * 70_000))
    assert client.send(CancelAll(ALICE)).events == (OrdersCancelled(ALICE, 0),)


def test_engine_of_the_environment(host: EngineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.cache_clear()
    for name, value in host.environment().items():
        if name.startswith(("NEXUS_", "REDIS_")):
            monkeypatch.setenv(name, value)
    assert engine_address() == host.address
    assert engine() is engine()
    monkeypatch.setenv("NEXUS_INSTANCE_ID", "seven")
    with pytest.raises(ValueError, match="badly formed"):
        engine_address()
    monkeypatch.delenv("REDIS_URL")
    with pytest.raises(LookupError, match="REDIS_URL"):
        engine_address()
    engine.cache_clear()

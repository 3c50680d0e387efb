"""Clients over the death of an engine: they wait for the next, and repeat only what may be."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from matching.client import AsyncEngineClient, EngineClient, EngineUnavailable
from matching.client.patience import PATIENCE_S, Patience
from matching.protocol.codec import FRAME_HEADER, Answer, Request, encode, frame, request_decode
from matching.protocol.commands import (
    AmendOrder,
    AnyCommand,
    CancelOrder,
    Credit,
    PlaceOrder,
    SetPhase,
)
from matching.protocol.events import OrdersCancelled
from matching.protocol.units import Phase
from tests.matching.market import ALICE, BUY, GOLD, KRW, order

SendMany = Callable[[Path, Sequence[AnyCommand]], list[Answer]]
PLACES: list[PlaceOrder] = [order(ALICE, BUY, 1 + place, 1) for place in range(3)]


class Mortal:
    """An engine that takes what comes, answers the first so many requests of its life and dies.

    The lives after the first answer everything.
    """

    def __init__(self, path: Path, first_life: int) -> None:
        self.requests: list[list[Request]] = []
        self._path = path
        self._first_life = first_life
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.requests.append([])
            with connection, connection.makefile("rb") as reader:
                while head := reader.read(FRAME_HEADER.size):
                    request = request_decode(reader.read(*FRAME_HEADER.unpack(head)))
                    life = self.requests[-1]
                    life.append(request)
                    if len(self.requests) == 1 and len(life) > self._first_life:
                        break
                    answer = Answer(request.request_id, 1, 1, (OrdersCancelled(1, len(life)),))
                    connection.sendall(frame(encode(answer)))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)  # a short name: a socket's path may not exceed 107 bytes
    yield Path("s")


def _blocking(path: Path, commands: Sequence[AnyCommand]) -> list[Answer]:
    client = EngineClient(path)
    try:
        return client.send_many(commands)
    finally:
        client.close()


def _of_a_loop(path: Path, commands: Sequence[AnyCommand]) -> list[Answer]:
    async def play() -> list[Answer]:
        client = AsyncEngineClient(path)
        try:
            return await client.send_many(commands)
        finally:
            client.close()

    return asyncio.run(play())


@pytest.mark.parametrize("send_many", [_blocking, _of_a_loop])
def test_places_and_credits_without_an_answer_are_sent_again(
    path: Path, send_many: SendMany
) -> None:
    engine = Mortal(path, first_life=1)
    commands: list[AnyCommand] = [*PLACES, Credit(ALICE, KRW, 1, "once")]
    assert len(send_many(path, commands)) == 4
    engine.close()
    assert [each.body for each in engine.requests[1]] == commands[1:]


@pytest.mark.parametrize("send_many", [_blocking, _of_a_loop])
@pytest.mark.parametrize(
    "command",
    [CancelOrder(ALICE, 7), AmendOrder(ALICE, 7, 1, 1), SetPhase(GOLD, Phase.HALTED)],
)
def test_what_means_something_else_the_second_time_is_not_sent_again(
    path: Path, send_many: SendMany, command: AnyCommand
) -> None:
    engine = Mortal(path, first_life=1)
    with pytest.raises(EngineUnavailable) as caught:
        send_many(path, [PLACES[0], PLACES[1], command])
    assert caught.value.sent
    engine.close()
    assert len(engine.requests) == 1


@pytest.mark.parametrize("send_many", [_blocking, _of_a_loop])
def test_client_waits_for_an_engine_that_does_not_listen_yet(
    path: Path, send_many: SendMany
) -> None:
    engines: list[Mortal] = []
    timer = threading.Timer(0.2, lambda: engines.append(Mortal(path, first_life=9)))
    timer.start()
    assert len(send_many(path, [CancelOrder(ALICE, 7)])) == 1
    timer.join()
    engines[0].close()


def test_patience_is_had_once_with_an_engine_that_stays_away() -> None:
    patience = Patience(PATIENCE_S)
    assert patience.lasts()
    patience._since = -PATIENCE_S
    assert not patience.lasts()
    assert not patience.lasts()
    patience.found()
    assert patience.lasts()

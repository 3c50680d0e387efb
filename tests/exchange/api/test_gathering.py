"""What is asked at once is asked together, and each asker gets its own answer."""

import asyncio
import json
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import uuid4

import pytest

from exchange.api import gathering
from exchange.api.errors import DoorCode, Problem
from exchange.api.gathering import Gathered
from tests.exchange.conftest import Trader, Venue
from tests.waiting import wait_until


def test_questions_of_a_moment_are_asked_together_and_answered_each() -> None:
    asked: list[list[int]] = []

    async def halve(numbers: Sequence[int]) -> list[int | Exception]:
        asked.append(list(numbers))
        return [ValueError(number) if number % 2 else number // 2 for number in numbers]

    async def ask() -> list[int | BaseException]:
        half = Gathered(halve)
        found = await asyncio.gather(*map(half, range(5)), return_exceptions=True)
        return [*found, await half(10)]

    *found, alone = asyncio.run(ask())
    assert asked == [[0, 1, 2, 3, 4], [10]]
    assert [found[0], found[2], found[4], alone] == [0, 1, 2, 5]
    assert [str(each) for each in (found[1], found[3])] == ["1", "3"]


def test_what_is_asked_meanwhile_goes_with_the_next_call() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    asked: list[list[str]] = []

    async def echo(words: Sequence[str]) -> list[str | Exception]:
        asked.append(list(words))
        begun.set()
        await go_on.wait()
        return list(words)

    async def ask() -> list[str]:
        said = Gathered(echo)
        first = asyncio.ensure_future(said("a"))
        await begun.wait()
        others = [asyncio.ensure_future(said(word)) for word in "bcd"]
        await asyncio.wait(others, timeout=0)
        others[1].cancel()
        go_on.set()
        return [await first, await others[0], await others[2]]

    assert asyncio.run(ask()) == ["a", "b", "d"]
    assert asked == [["a"], ["b", "c", "d"]]


def test_all_are_told_when_the_call_fails_and_the_next_is_made() -> None:
    fails = [True]

    async def ask_all(numbers: Sequence[int]) -> list[int | Exception]:
        if fails.pop() if fails else False:
            raise ConnectionError("down")
        return list(numbers)

    async def ask() -> int:
        same = Gathered(ask_all)
        found = await asyncio.gather(same(1), same(2), return_exceptions=True)
        assert all(isinstance(each, ConnectionError) for each in found)
        return await same(3)

    assert asyncio.run(ask()) == 3


def test_what_hangs_is_given_up_and_what_waits_behind_it_is_never_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "ANSWER_S", 0.1)
    monkeypatch.setattr(gathering, "_threads", ThreadPoolExecutor(1))
    go_on = Event()
    done: list[int] = []

    async def ask() -> tuple[object, object, str]:
        hangs, waits = gathering.in_thread(go_on.wait, 60), gathering.in_thread(done.append, 1)
        first, second = await asyncio.gather(hangs, waits, return_exceptions=True)
        go_on.set()
        return first, second, await gathering.in_thread(str, "alive")

    first, second, third = asyncio.run(ask())
    for problem in (first, second):
        assert isinstance(problem, Problem) and problem.code == DoorCode.DATABASE_UNAVAILABLE
    assert (third, done) == ("alive", [])


@pytest.mark.parametrize("way", ["shut", "reset"])
def test_client_that_goes_away_leaves_one_order_under_its_key(
    venue: Venue, trader: Trader, way: str
) -> None:
    """The answer is kept for whoever asks again; nothing is placed twice."""
    wish, key = trader.order("buy", "95000", "0.01"), uuid4().hex
    body = json.dumps(wish).encode()
    signed = trader.sign("POST", "/v1/orders", body)
    before = venue.status().orders
    with socket.create_connection(venue.address) as line:
        if way == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.sendall(
            f"POST /v1/orders HTTP/1.1\r\nHost: {venue.address[0]}\r\nAuthorization: {signed}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    def placed() -> bool:
        again = trader.send("POST", "/v1/orders", wish, headers={"Idempotency-Key": key})
        assert again.status in (200, 201, 409), again
        return again.status != 409

    wait_until(placed, timeout_s=10)
    assert venue.status().orders == before + 1
    trader.send("DELETE", "/v1/orders")

"""From the door's event loop to what blocks: one call in a thread, or many calls made one.

What must not live here: what is asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Generic, ParamSpec, TypeVar

from django.db import connection

THREADS = 8

Given = ParamSpec("Given")
Question = TypeVar("Question")
Answer = TypeVar("Answer")

_Asked = tuple[Question, asyncio.Future[Answer]]
_Call = tuple[asyncio.AbstractEventLoop, list[_Asked[Question, Answer]]]

_threads = ThreadPoolExecutor(THREADS, "door")


async def in_thread(
    function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer:
    """Call what may block, with a database connection of the thread's own."""
    call = partial(_connected, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, call)


def attempt(
    function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer | Exception:
    """Return what a call returns or raises."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  (whoever asked raises it)
        return error


class Gathered(Generic[Question, Answer]):
    """A function of one question, answered together with the others of the same moment.

    `ask` answers questions in order, each with an answer or an exception, in a thread of its own;
    what is asked meanwhile goes with the next call. A round trip is shared, the more the busier.
    """

    def __init__(
        self, name: str, ask: Callable[[Sequence[Question]], Sequence[Answer | Exception]]
    ) -> None:
        self._name = name
        self._ask = ask
        self._waiting: list[_Asked[Question, Answer]] = []
        self._calls: SimpleQueue[_Call[Question, Answer]] = SimpleQueue()
        self._thread: Thread | None = None
        self._under_way = False

    async def __call__(self, question: Question) -> Answer:
        """Return the answer, or raise the exception, that `ask` gives to the question."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((question, future))
        if not self._under_way:
            self._under_way = True
            loop.call_soon(self._call, loop)
        return await future

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        # An executor makes a dozen objects a call for what a queue does.
        if self._thread is None:
            self._thread = Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        asked, self._waiting = self._waiting, []
        self._under_way = bool(asked)
        if asked:
            self._calls.put((loop, asked))

    def _serve(self) -> None:
        while True:
            loop, asked = self._calls.get()
            found = attempt(_connected, self._ask, [question for question, _ in asked])
            answers = [found] * len(asked) if isinstance(found, Exception) else found
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(self._give, loop, asked, answers)

    def _give(
        self,
        loop: asyncio.AbstractEventLoop,
        asked: list[_Asked[Question, Answer]],
        answers: Sequence[Answer | Exception],
    ) -> None:
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():
                continue  # whoever asked has gone
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._call(loop)


def _connected(function: Callable[..., Answer], *args: object, **kwargs: object) -> Answer:
    """Call with a connection that is alive; let go of one that is not any more."""
    if connection.connection is not None and not connection.is_usable():
        connection.close()
    try:
        return function(*args, **kwargs)
    except Exception:
        connection.close_if_unusable_or_obsolete()
        raise

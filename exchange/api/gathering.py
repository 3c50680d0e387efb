"""From the door's event loop to what blocks: one call in a thread, or many calls made one.

What must not live here: what is asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from django.db import connection

THREADS = 8

Given = ParamSpec("Given")
Question = TypeVar("Question")
Answer = TypeVar("Answer")

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
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self, question: Question) -> Answer:
        """Return the answer, or raise the exception, that `ask` gives to the question."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((question, future))
        if self._asking is None:
            self._asking = loop.create_task(self._ask_all())
        return await future

    async def _ask_all(self) -> None:
        loop = asyncio.get_running_loop()
        while asked := self._waiting:
            self._waiting = []
            questions = [question for question, _ in asked]
            found = await loop.run_in_executor(
                self._thread, attempt, _connected, self._ask, questions
            )
            answers = [found] * len(asked) if isinstance(found, Exception) else found
            for (_, future), answer in zip(asked, answers, strict=True):
                if future.done():
                    continue  # whoever asked has gone
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        self._asking = None


def _connected(function: Callable[..., Answer], *args: object, **kwargs: object) -> Answer:
    """Call with a connection that is alive; let go of one that is not any more."""
    if connection.connection is not None and not connection.is_usable():
        connection.close()
    try:
        return function(*args, **kwargs)
    except Exception:
        connection.close_if_unusable_or_obsolete()
        raise

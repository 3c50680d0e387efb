"""From the door's event loop to what blocks, and many questions made one.

What must not live here: what is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection

from exchange.api.errors import DoorCode, Problem

THREADS = 8
# What every order waits for, keys and listings, has threads that no other question can take.
UPKEEP_THREADS = 2
# An answer that takes longer is given up; what hangs keeps its thread and no more than that.
ANSWER_S = 15.0

Given = ParamSpec("Given")
Question = TypeVar("Question")
Answer = TypeVar("Answer")

_threads = ThreadPoolExecutor(THREADS, "door")
_upkeep = ThreadPoolExecutor(UPKEEP_THREADS, "door-upkeep")


async def in_thread(
    function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer:
    """Call what may block, with a database connection of the thread's own.

    Raises `Problem` database_unavailable when that takes longer than `ANSWER_S`: what was not begun
    by then is not done at all.
    """
    return await _answered(_threads, partial(_connected, function, *args, **kwargs))


async def in_upkeep(
    function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer:
    """As `in_thread`, for the few short reads that all requests share."""
    return await _answered(_upkeep, partial(_connected, function, *args, **kwargs))


async def _answered(threads: ThreadPoolExecutor, call: Callable[[], Answer]) -> Answer:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await asyncio.get_running_loop().run_in_executor(threads, call)
    except TimeoutError as error:
        raise Problem(
            DoorCode.DATABASE_UNAVAILABLE,
            f"no answer in {ANSWER_S:g} s, and it may be done nevertheless: repeat it unchanged",
        ) from error


async def in_memory(
    function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer:
    """Call what finds what it needs in memory, or else, once more, in an upkeep thread.

    Whatever would read the database on the loop raises; so it may be called twice.
    """
    try:
        return function(*args, **kwargs)
    except SynchronousOnlyOperation:
        return await in_upkeep(function, *args, **kwargs)


def attempt(
    function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs
) -> Answer | Exception:
    """Return what a call returns or raises, but for what has to be called in a thread."""
    try:
        return function(*args, **kwargs)
    except SynchronousOnlyOperation:
        raise
    except Exception as error:  # noqa: BLE001  (whoever asked raises it)
        return error


class Gathered(Generic[Question, Answer]):
    """A function of one question, answered together with the others of the same moment.

    `ask` answers questions in order, each with an answer or an exception. What is asked meanwhile
    goes with the next call: a round trip is shared, the more the busier.
    """

    def __init__(
        self, ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer | Exception]]]
    ) -> None:
        self._ask = ask
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
        while self._waiting:
            asked, self._waiting = self._waiting, []
            futures = [future for _, future in asked]
            answered: list[tuple[asyncio.Future[Answer], Answer | Exception]]
            try:
                answers = await self._ask([question for question, _ in asked])
                answered = list(zip(futures, answers, strict=True))
            except Exception as error:  # noqa: BLE001  (whoever asked raises it)
                answered = [(future, error) for future in futures]
            for future, answer in answered:
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

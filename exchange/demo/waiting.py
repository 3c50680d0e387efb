"""Wait for what other processes do, and say what did not come."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

POLL_INTERVAL_S = 0.05

Thing = TypeVar("Thing")


class TookTooLong(Exception):
    """A condition did not come true in time; the message says which."""


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 180.0) -> None:
    """Return once `condition` holds. Raises `TookTooLong` naming `what`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TookTooLong(f"waited {timeout_s:g} s for {what}")
        time.sleep(POLL_INTERVAL_S)


def wait_for_each(things: Iterable[Thing], done: Callable[[Thing], bool], what: str) -> None:
    """Return once all things are done, asking about one at a time. Raises `TookTooLong`."""
    for thing in things:
        wait_until(partial(done, thing), what)

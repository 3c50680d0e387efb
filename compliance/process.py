"""The loop of a long-running command: one step after another until SIGTERM, woken by NOTIFY."""

import logging
import signal
from collections.abc import Callable
from threading import Event
from types import FrameType

from django.db import InterfaceError, OperationalError, connection

from matching.client import beat

logger = logging.getLogger(__name__)
IDLE_S = 1.0
DATABASE_RETRY_S = 1.0


class Stop:
    """Becomes true on SIGTERM or SIGINT; what is under way is finished first."""

    def __init__(self) -> None:
        self._event = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._set)

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until the signal comes."""
        self._event.wait(seconds)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self._event.set()


def run_until_stopped(step: Callable[[], int], *, channel: str, once: bool = False) -> None:
    """Repeat `step` while it finds work, else wait for a notification or a second.

    A lost database is waited for; every other exception ends the process. `once` returns when a
    step found nothing more to do.
    """
    stop = Stop()
    while not stop:
        beat()
        try:
            listen(channel)
            while not stop and step():
                beat()
            if once:
                return
            wait_notified(IDLE_S)
        except (OperationalError, InterfaceError) as error:
            if once:
                raise
            logger.warning("database lost (%s): trying again", error)
            connection.close()
            stop.wait(DATABASE_RETRY_S)


def wait_notified(seconds: float) -> None:
    """Wait until a channel that this connection listens to is notified, or the time is over."""
    connection.ensure_connection()
    assert connection.connection is not None
    for _ in connection.connection.notifies(timeout=seconds, stop_after=1):
        pass


def listen(channel: str) -> None:
    """Be told from now on what is notified on a channel."""
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {connection.ops.quote_name(channel)}")

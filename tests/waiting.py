"""Wait on a condition, bounded; the only place of the tests that sleeps."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, timeout_s: float = 30) -> None:
    """Return as soon as `condition` holds. Raises TimeoutError naming it.

    It asks ever less often, since asking may cost more than what is waited for.
    """
    deadline = time.monotonic() + timeout_s
    pause_s = 0.01
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} did not hold within {timeout_s} s")
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, 0.25)

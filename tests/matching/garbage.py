"""Garbage for whatever reads bytes: sound messages bent by a seeded hand, and the bounds to keep.

`NEXUS_GARBAGE_EXAMPLES` says how many each test is given; the slow tier asks for far more, in a
process whose memory is limited.
"""

import os
import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import FrameType

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("NEXUS_GARBAGE_EXAMPLES", "200"))
DEADLINE_S = 5
# What msgpack claims of a length or a depth that never comes.
CLAIMS = (
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\x7f\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x00",
    b"\xcf" + b"\xff" * 8,
    b"\x91" * 2_000,
    b"\x81" * 2_000,
    b"\xa4\xff\xfe\xfd\xfc",
)

garbage = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def bent(random: Random, data: bytes, other: bytes = b"") -> bytes:
    """Return the bytes after one to four accidents; `other` is what may be spliced in."""
    made = bytearray(data)
    for _ in range(random.randint(1, 4)):
        place = random.randint(0, len(made))
        end = min(len(made), place + random.choice((1, 4, 8, 64, len(made))))
        match random.randint(0, 6):
            case 0 if place < len(made):
                made[place] ^= 1 << random.randint(0, 7)
            case 1:
                made[place:end] = random.randbytes(end - place)
            case 2:
                made[place:end] = bytes(end - place)
            case 3:
                del made[place:end]
            case 4:
                made[place:place] = made[place:end]
            case 5:
                made[place : place + random.randint(0, 5)] = random.choice(CLAIMS)
            case 6 if other:
                start = random.randint(0, len(other) - 1)
                made[place:end] = other[start : start + random.randint(1, 256)]
    return bytes(made)


@contextmanager
def bounded(memory_bytes: int) -> Iterator[None]:
    """Assert that what is done with one input ends in time and takes no more memory than this."""

    def late(signal_number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"one input took more than {DEADLINE_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert peak <= memory_bytes, f"one input took {peak:,} bytes"

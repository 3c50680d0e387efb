"""For how long a follower is behind: when the first command it has not passed was sequenced."""

from functools import cache

from matching.client.address import EngineAddress
from matching.stream import Stream


def waiting_since_ns(address: EngineAddress, sequence: int) -> int | None:
    """Return the time of the first command in the stream after `sequence`, None when none is there.

    A stream trimmed beyond it gives the first command left, so that the answer is never too early.
    Raises `OtherInstance`, `redis.RedisError`, `OSError`.
    """
    stream = _stream(address)
    # Two, since the first may be the fence with which an epoch begins.
    for found in stream.read(stream.place_behind(sequence), 2):
        if found.entry is not None and found.entry.last_sequence > sequence:
            times = (each.time_ns for each in found.entry.applied if each.sequence > sequence)
            return next(times)
    return None


@cache
def _stream(address: EngineAddress) -> Stream:
    return Stream(address.redis_url, address.instance, block_ms=1)

"""Follow the engine's events from the Redis Stream, and from the journal where the stream fails."""

from collections.abc import Iterator

from matching.client.address import EngineAddress
from matching.protocol.codec import StreamEntry


class FollowFailed(Exception):
    """Stream or journal belong to another instance, are damaged, or end before the position."""


def follow(
    address: EngineAddress, *, follower: str, after_sequence: int, block_ms: int = 1_000
) -> Iterator[StreamEntry | None]:
    """Yield the engine's batches after `after_sequence`, in order and without a gap, for ever.

    Each entry's `applied` holds sequences above the position only (at most one engine batch of
    1,000 commands). Yields None when nothing came for about `block_ms`, so that the caller can
    stop. Taking the next item tells that the caller has committed the one before: the position of
    `follower` is then reported, and the publisher trims the stream behind the slowest follower.
    Delivery is exactly once for one iterator; after a crash start again at the stored position.
    Raises `FollowFailed` naming what was found and expected.
    """
    raise NotImplementedError(address, follower, after_sequence, block_ms)
    yield None

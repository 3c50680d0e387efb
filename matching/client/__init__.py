"""The only way for other bodies into the engine: send, ask and follow.

What lives here speaks the wire protocol and reads stream and journal. What must not: Django,
order rules (those are the engine's), anything that writes a journal.
"""

from matching.client.address import EngineAddress, engine_address
from matching.client.asynchronous import AsyncEngineClient, engine_of_loop
from matching.client.connection import EngineClient, EngineUnavailable, engine
from matching.client.follow import FollowFailed, follow
from matching.client.heartbeat import beat, heartbeat_name, heartbeat_sequence
from matching.client.lag import waiting_since_ns

__all__ = [
    "AsyncEngineClient",
    "EngineAddress",
    "EngineClient",
    "EngineUnavailable",
    "FollowFailed",
    "beat",
    "engine",
    "engine_address",
    "engine_of_loop",
    "follow",
    "heartbeat_name",
    "heartbeat_sequence",
    "waiting_since_ns",
]

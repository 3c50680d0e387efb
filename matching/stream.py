"""The Redis Stream of one instance: its names, ids, fields and calls, for publisher and follower.

An entry has the id `epoch-sequence` of its last command and a `StreamEntry`; a fence has the id
`epoch-0` and the sequence published by then. Both name their instance. Redis holds no truth: what
it loses is a gap in the stream, which every entry shows and every follower fills from the journal.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import redis
from redis.exceptions import ResponseError

from matching.journal import OtherInstance
from matching.protocol.codec import StreamEntry, Undecodable, encode, stream_entry_decode

_ENTRY, _FENCE, _INSTANCE = b"entry", b"fence", b"instance"
TIMEOUT_S = 2.0


class StreamGarbled(Exception):
    """An entry is none of ours; as good as lost, for the journal has what it should have said."""


StreamError = (redis.RedisError, OSError, StreamGarbled)


class Place(NamedTuple):
    """An entry's id; places compare like ids."""

    epoch: int
    sequence: int

    @property
    def id(self) -> str:
        return f"{self.epoch}-{self.sequence}"


class Found(NamedTuple):
    """An entry as read; a fence has no batch, only the sequence published when it was written."""

    place: Place
    published_sequence: int
    entry: StreamEntry | None


class AlreadyBehind(Exception):
    """Redis refused an id because the stream's last one is not below it."""


def stream_name(instance: str) -> str:
    """Return the stream that carries the batches of an instance."""
    return f"nexus:{instance}:events"


def followers_name(instance: str) -> str:
    """Return the hash in which each follower leaves the sequence it has passed."""
    return f"nexus:{instance}:followers"


class Stream:
    """Calls on one stream; each may raise one of `StreamError`, and ends within the timeout."""

    def __init__(self, redis_url: str, instance: str, *, block_ms: int = 0) -> None:
        self._client: Any = redis.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_S + block_ms / 1_000, socket_connect_timeout=TIMEOUT_S
        )
        # Of its own: what a client does around a call takes longer than to add a small entry.
        self._publishing: Any = None
        self._instance = instance
        self._block_ms = block_ms
        self.name = stream_name(instance)

    def last(self) -> Found | None:
        """Return the last entry, None when the stream is empty. Raises `OtherInstance`."""
        entries = self._client.execute_command("XREVRANGE", self.name, "+", "-", "COUNT", 1)
        return self._found(*entries[0]) if entries else None

    def last_before(self, place: Place) -> Found | None:
        """Return the last entry below a place."""
        found = self._client.execute_command(
            "XREVRANGE", self.name, f"({place.id}", "-", "COUNT", 1
        )
        return self._found(*found[0]) if found else None

    def place_behind(self, sequence: int) -> Place:
        """Return the place before the first entry above a sequence, or the stream's end.

        Sequences rise with places, so the search goes back by epochs and not by entries.
        """
        last = self.last()
        place = Place(0, 0) if last is None else last.place
        while last is not None and last.published_sequence > sequence:
            place = Place(last.place.epoch, sequence)
            last = self.last_before(Place(last.place.epoch, 0))
        return place

    def read(self, after: Place, count: int) -> list[Found]:
        """Return up to `count` entries after a place, having waited for the first if need be."""
        answer = self._client.execute_command(
            "XREAD", "COUNT", count, "BLOCK", self._block_ms, "STREAMS", self.name, after.id
        )
        if not answer:
            return []
        # RESP3 answers with a map from stream to [entries], RESP2 with a list of pairs.
        pairs = answer.items() if isinstance(answer, dict) else answer
        ((_, entries),) = pairs
        if isinstance(answer, dict) and entries and isinstance(entries[0], list):
            (entries,) = entries
        return [self._found(place, fields) for place, fields in entries]

    def fence(self, epoch: int, published_sequence: int) -> None:
        """Write `epoch-0`, after which lower epochs are refused. Raises `AlreadyBehind`."""
        call = self._add(Place(epoch, 0), _FENCE, str(published_sequence).encode())
        try:
            self._client.execute_command(*call)
        except ResponseError as error:
            raise _translated(error) from error

    def publish(self, epoch: int, entries: Sequence[StreamEntry]) -> list[Exception | None]:
        """Add entries; return for each None, `AlreadyBehind` or another error."""
        if self._publishing is None:
            self._publishing = self._client.connection_pool.get_connection()
        connection = self._publishing
        calls = [
            self._add(Place(epoch, entry.last_sequence), _ENTRY, encode(entry)) for entry in entries
        ]
        connection.send_packed_command(connection.pack_commands(calls))
        return [_outcome(connection) for _ in calls]

    def trim(self, place: Place) -> None:
        """Drop (roughly) the entries below a place."""
        self._client.execute_command("XTRIM", self.name, "MINID", "~", place.id)

    def report(self, follower: str, sequence: int) -> None:
        """Leave the position that a follower has passed."""
        name = followers_name(self._instance)
        self._client.execute_command("HSET", name, follower, sequence)

    def positions(self) -> list[int]:
        """Return the positions of all followers that ever reported."""
        values = self._client.execute_command("HVALS", followers_name(self._instance))
        return [int(value) for value in values]

    def close(self) -> None:
        """Close the connections."""
        if self._publishing is not None:
            self._client.connection_pool.release(self._publishing)
            self._publishing = None
        self._client.close()

    def _add(self, place: Place, field: bytes, value: bytes) -> tuple[str | bytes, ...]:
        return ("XADD", self.name, place.id, field, value, _INSTANCE, self._instance)

    def _found(self, place: bytes, fields: dict[bytes, bytes] | list[bytes]) -> Found:
        if not isinstance(fields, dict):
            fields = dict(zip(fields[::2], fields[1::2], strict=True))
        epoch, _, sequence = place.partition(b"-")
        at = Place(int(epoch), int(sequence))
        try:
            instance = fields[_INSTANCE].decode()
            if instance != self._instance:
                raise OtherInstance(f"stream {self.name}", instance, self._instance)
            if _FENCE in fields:
                return Found(at, int(fields[_FENCE]), None)
            entry = stream_entry_decode(fields[_ENTRY])
            if entry.last_sequence != at.sequence:
                raise ValueError(f"its last command has sequence {entry.last_sequence}")
            return Found(at, at.sequence, entry)
        except (*Undecodable, LookupError, ValueError) as error:
            raise StreamGarbled(f"stream {self.name}, entry {at.id}: {error!r}") from error


def _outcome(connection: Any) -> Exception | None:
    try:
        connection.read_response()
    except ResponseError as error:
        return _translated(error)
    return None


def _translated(error: Exception) -> Exception:
    return AlreadyBehind(str(error)) if "equal or smaller" in str(error) else error

"""The one stream and hash of Redis that the engine uses, by Redis's own rule for ids."""

from typing import Any

from redis.exceptions import ConnectionError, ResponseError

from matching.stream import Stream


class SimulatedRedis:
    """Answers the calls of `matching.stream.Stream`; while it is down, none."""

    def __init__(self) -> None:
        self.down = False
        self._entries: list[tuple[tuple[int, int], dict[bytes, bytes]]] = []
        self._positions: dict[str, int] = {}

    def stream(self, instance: str) -> Stream:
        """Return the real stream's client over this."""
        stream = Stream("redis://nowhere", instance)
        stream._client = self
        return stream

    @property
    def connection_pool(self) -> "SimulatedRedis":
        return self

    def get_connection(self) -> "_Pipelined":
        return _Pipelined(self)

    def release(self, connection: object) -> None:
        """The pool takes its connection back."""

    def flush(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._positions.clear()

    def close(self) -> None:
        """A client's connection ends; nothing else does."""

    def execute_command(self, name: str, *arguments: Any) -> Any:
        if self.down:
            raise ConnectionError("down")
        return getattr(self, name.lower())(*arguments)

    def xadd(self, stream: str, place: str, *fields: bytes | str) -> bytes:
        key = _key(place)
        if self._entries and key <= self._entries[-1][0]:
            raise ResponseError("The ID specified in XADD is equal or smaller than the target")
        values = [each.encode() if isinstance(each, str) else each for each in fields]
        self._entries.append((key, dict(zip(values[::2], values[1::2], strict=True))))
        return place.encode()

    def xrevrange(self, stream: str, end: str, *_: Any) -> list[Any]:
        below = _key(end[1:]) if end != "+" else (1 << 63, 0)
        found = [each for each in self._entries if each[0] < below]
        return [_shown(found[-1])] if found else []

    def xread(self, *arguments: Any) -> Any:
        count, after = arguments[1], _key(arguments[-1])
        found = [_shown(each) for each in self._entries if each[0] > after][:count]
        return [(arguments[-2], found)] if found else None

    def xtrim(self, *_: Any) -> int:
        return 0

    def hset(self, name: str, follower: str, sequence: int) -> int:
        self._positions[follower] = sequence
        return 0

    def hvals(self, name: str) -> list[bytes]:
        return [str(each).encode() for each in self._positions.values()]


class _Pipelined:
    """A connection that is sent several calls and asked for each answer."""

    def __init__(self, redis: SimulatedRedis) -> None:
        self._redis = redis
        self._calls: list[tuple[Any, ...]] = []

    def pack_commands(self, calls: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return calls

    def send_packed_command(self, calls: list[tuple[Any, ...]]) -> None:
        self._calls = list(calls)

    def read_response(self) -> Any:
        return self._redis.execute_command(*self._calls.pop(0))


def _key(place: str) -> tuple[int, int]:
    epoch, _, sequence = place.partition("-")
    return int(epoch), int(sequence)


def _shown(entry: tuple[tuple[int, int], dict[bytes, bytes]]) -> tuple[bytes, dict[bytes, bytes]]:
    return f"{entry[0][0]}-{entry[0][1]}".encode(), entry[1]

"""Signs of life and the age of what a follower has not passed, in a real Valkey."""

import uuid

import msgspec
import pytest
import redis

from matching.client import waiting_since_ns
from matching.client.heartbeat import ALIVE_S, Heartbeat, heartbeat_name, heartbeat_sequence
from matching.engine import Engine
from matching.protocol.codec import StreamEntry
from matching.protocol.commands import Sequenced
from matching.stream import Stream
from tests.matching.market import opening
from tests.matching.processes import EngineHost


@pytest.fixture
def host(host: EngineHost) -> EngineHost:
    """A Valkey, and no engine."""
    host.valkey.start()
    return host


def _entries(count: int) -> list[StreamEntry]:
    """Return what an engine made of the opening commands, cut into so many batches."""
    engine = Engine()
    commands = opening()
    applied = [
        engine.apply(Sequenced(place, 1_000 + place, command))
        for place, command in enumerate(commands, 1)
    ]
    size = -(-len(applied) // count)
    return [
        StreamEntry(applied[start].sequence - 1, tuple(applied[start : start + size]))
        for start in range(0, len(applied), size)
    ]


def test_waiting_is_told_from_the_first_command_not_passed(host: EngineHost) -> None:
    first, second, third = _entries(3)
    stream = Stream(host.address.redis_url, host.address.instance)
    assert waiting_since_ns(host.address, 0) is None
    stream.fence(1, 0)
    stream.publish(1, [first, second])
    stream.fence(2, second.last_sequence)
    stream.publish(2, [third])
    for sequence in range(third.last_sequence):
        assert waiting_since_ns(host.address, sequence) == 1_000 + sequence + 1
    assert waiting_since_ns(host.address, third.last_sequence) is None


def test_waiting_is_never_told_too_long_when_the_stream_was_trimmed(host: EngineHost) -> None:
    first, second, third = _entries(3)
    stream = Stream(host.address.redis_url, host.address.instance)
    stream.fence(1, first.last_sequence)
    stream.publish(1, [second, third])
    assert waiting_since_ns(host.address, 0) == 1_000 + second.applied[0].sequence


def test_sign_of_life_lapses(host: EngineHost) -> None:
    instance = str(uuid.uuid4())
    sign = Heartbeat(host.address.redis_url, instance, "projector")
    assert sign.alive() is False
    sign.beat()
    with redis.Redis.from_url(host.address.redis_url) as client:
        name = heartbeat_name(instance, "projector")
        assert 0 < int(client.ttl(name)) <= ALIVE_S
        client.delete(name)
    assert sign.alive() is False
    sign.beat()  # not due again yet
    assert sign.alive() is False


def test_sign_shows_the_sequence_of_who_keeps_it_nowhere_else(host: EngineHost) -> None:
    instance = str(uuid.uuid4())
    with redis.Redis.from_url(host.address.redis_url) as client:
        for process, sequence in (("snapshots", 17), ("projector", None)):
            Heartbeat(host.address.redis_url, instance, process).beat(sequence)
            sign = client.get(heartbeat_name(instance, process))
            assert isinstance(sign, bytes) and heartbeat_sequence(sign) == sequence


def test_process_goes_on_when_no_redis_takes_its_sign(host: EngineHost) -> None:
    gone = msgspec.structs.replace(host.address, redis_url="unix:///nowhere/valkey.sock")
    sign = Heartbeat(gone.redis_url, gone.instance, "projector")
    sign.beat()
    with pytest.raises(redis.ConnectionError):
        sign.alive()

"""The wire: every message round-trips, and garbage is refused without harm."""

from random import Random
from types import UnionType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.journal.format import read_record
from matching.protocol import codec, commands, events, queries
from matching.protocol.codec import (
    Answer,
    QueryAnswer,
    Request,
    StreamEntry,
    Undecodable,
    answer_decode,
    encode,
    request_decode,
    stream_entry_decode,
)
from matching.protocol.commands import Sequenced
from matching.protocol.events import Applied
from tests.matching.garbage import bent, bounded, garbage

integers = st.integers(-(2**63), 2**63 - 1)


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a message type, made from its fields."""
    return st.from_type(kind)


def _messages(union: Any) -> st.SearchStrategy[Any]:
    return st.one_of([_structs(kind) for kind in union.__args__])


def _structs(kind: Any) -> st.SearchStrategy[Any]:
    fields = {field.name: _field(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields)


def _field(kind: Any) -> st.SearchStrategy[Any]:
    if kind is int:
        return integers
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _structs(kind)
    if isinstance(kind, UnionType):
        return st.one_of([_field(each) for each in kind.__args__])
    if getattr(kind, "__origin__", None) is tuple:
        if kind.__args__[-1] is Ellipsis:
            return st.lists(_field(kind.__args__[0]), max_size=3).map(tuple)
        return st.tuples(*map(_field, kind.__args__))
    return _values(kind)


any_command = _messages(commands.AnyCommand)
any_event = _messages(events.AnyEvent)
applied = st.builds(
    Applied, integers, integers, st.lists(any_event, min_size=1, max_size=4).map(tuple)
)


@given(integers, any_command | _messages(queries.AnyQuery))
def test_request_round_trips(request_id: int, body: Any) -> None:
    request = Request(request_id, body)
    assert request_decode(encode(request)) == request
    assert type(request_decode(encode(request)).body) is type(body)


def test_cancel_is_read_when_it_was_written_without_a_client_order_id() -> None:
    written = encode((7, (9, 2, 21)))
    assert request_decode(written) == Request(7, commands.CancelOrder(2, 21))


@given(integers, applied)
def test_answer_and_stream_entry_round_trip(request_id: int, done: Applied) -> None:
    answer = Answer(request_id, done.sequence, done.time_ns, done.events)
    assert answer_decode(encode(answer)) == answer
    entry = StreamEntry(request_id, (done, done))
    assert stream_entry_decode(encode(entry)) == entry
    assert entry.last_sequence == done.sequence


@given(integers, _messages(queries.AnyReply))
def test_query_answer_round_trips(request_id: int, reply: Any) -> None:
    assert answer_decode(encode(QueryAnswer(request_id, reply))) == QueryAnswer(request_id, reply)


DECODERS = (request_decode, answer_decode, stream_entry_decode, read_record)
MEMORY_BYTES = 1 << 20


def _refused_or_the_same(decode: Any, data: bytes) -> None:
    """Assert that bytes are refused as documented, or are read as what encodes to it again."""
    with bounded(MEMORY_BYTES):
        try:
            decoded = decode(data)
        except Undecodable:
            return
    assert decode(encode(decoded)) == decoded


@garbage
@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    for decode in DECODERS:
        with pytest.raises(Undecodable):
            decode(b"\xc1" + data)
        _refused_or_the_same(decode, data)


@garbage
@given(integers, any_command | _messages(queries.AnyQuery), st.randoms(use_true_random=False))
def test_bent_request_is_another_request_or_refused(
    request_id: int, body: Any, random: Random
) -> None:
    _refused_or_the_same(request_decode, bent(random, encode(Request(request_id, body))))


@garbage
@given(integers, any_command, st.randoms(use_true_random=False))
def test_bent_record_is_another_record_or_refused(
    number: int, command: Any, random: Random
) -> None:
    _refused_or_the_same(read_record, bent(random, encode(Sequenced(number, number, command))))


@garbage
@given(applied, _messages(queries.AnyReply), st.randoms(use_true_random=False))
def test_bent_answer_or_entry_is_another_or_refused(
    done: Applied, reply: Any, random: Random
) -> None:
    answer = encode(Answer(done.sequence, done.sequence, done.time_ns, done.events))
    asked = encode(QueryAnswer(done.sequence, reply))
    entry = encode(StreamEntry(done.sequence, (done, done)))
    _refused_or_the_same(answer_decode, bent(random, answer, asked))
    _refused_or_the_same(answer_decode, bent(random, asked, answer))
    _refused_or_the_same(stream_entry_decode, bent(random, entry, answer))


@pytest.mark.parametrize("opener", [b"\x91", b"\x81\xa1a", b"\xdd\xff\xff\xff\xff"])
def test_deep_and_huge_claims_are_refused_cheaply(opener: bytes) -> None:
    for data in (opener * 20_000, b"\x92\x01" + opener * 20_000):
        with pytest.raises(Undecodable), bounded(MEMORY_BYTES):
            request_decode(data)


def test_frame_is_the_message_behind_its_length() -> None:
    assert codec.frame(b"abc") == b"\0\0\0\3abc"


def test_tags_never_meet() -> None:
    kinds = [*commands.AnyCommand.__args__, *queries.AnyQuery.__args__]
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert len(set(tags)) == len(tags)

"""Chunks, roots and typed data, without a node."""

from uuid import UUID

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from settlement.chain import encoding, lane
from settlement.chain.encoding import AMOUNT_MAX, Delta, chunk_decode, chunks_encode

addresses = st.binary(min_size=20, max_size=20).map(to_checksum_address)
amounts = st.integers(1, AMOUNT_MAX)
pairs = st.tuples(addresses, addresses, addresses, amounts).filter(lambda it: it[1] != it[2])
moves = st.lists(pairs, max_size=12, unique_by=lambda it: it[0])
TOKEN, ALICE, BOB = ("0x" + byte * 20 for byte in ("11", "22", "33"))


@given(moves, st.integers(1, 5))
def test_chunks_round_trip_in_order_with_every_debit_first(
    moved: list[tuple[str, str, str, int]], max_deltas: int
) -> None:
    deltas = [
        delta
        for token, giver, taker, amount in moved
        for delta in (Delta(token, giver, -amount), Delta(token, taker, amount))
    ]
    chunks = chunks_encode(deltas, max_deltas=max_deltas)
    assert chunks == chunks_encode(reversed(deltas), max_deltas=max_deltas)
    decoded = [chunk_decode(chunk) for chunk in chunks]
    phases = [phase for phase, _ in decoded]
    assert phases == sorted(phases)
    assert all(len(found) <= max_deltas for _, found in decoded)
    assert all(
        (delta.amount_units > 0) == bool(phase) for phase, found in decoded for delta in found
    )
    found = [delta for _, part in decoded for delta in part]
    assert sorted(map(str, found)) == sorted(map(str, deltas))


@given(st.binary(max_size=120))
def test_decoding_survives_garbage(chunk: bytes) -> None:
    try:
        chunk_decode(chunk)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("deltas", "why"),
    [
        ([Delta(TOKEN, ALICE, -1)], "sum to -1"),
        ([Delta(TOKEN, ALICE, -1), Delta(TOKEN, ALICE, 1)], "twice"),
        ([Delta(TOKEN, ALICE, -(2**63)), Delta(TOKEN, BOB, 2**63)], "above"),
    ],
)
def test_encoding_is_refused_when_deltas_make_no_batch(deltas: list[Delta], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        chunks_encode(deltas)


def test_packed_bytes_are_those_the_contract_reads() -> None:
    collect, pay = chunks_encode([Delta(TOKEN, BOB, 258), Delta(TOKEN, ALICE, -258)])
    assert collect.hex() == "00" + "11" * 20 + "0001" + "22" * 20 + "0000000000000102"
    assert pay.hex() == "01" + "11" * 20 + "0001" + "33" * 20 + "0000000000000102"


def test_salt_and_clearing_id_follow_from_the_instance() -> None:
    instance = UUID("01020304-0506-0708-090a-0b0c0d0e0f10")
    assert encoding.instance_salt(instance) == bytes(range(1, 17)) + bytes(16)
    assert encoding.clearing_id(instance) == 0x01020304
    assert encoding.clearing_id(UUID(int=5)) == 1


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_bumped_fees_rise_by_an_eighth_at_least(max_fee: int, priority: int) -> None:
    bumped = lane.fees_bump(max_fee, priority)
    for before, after in zip((max_fee, priority), bumped, strict=True):
        assert 8 * before + before <= 8 * after < 8 * before + before + 8


def test_signed_bytes_are_the_same_when_signed_again() -> None:
    built = lane.transaction_build(TOKEN, b"\x01", 3, 21_000, 9, 1, 31_337)
    assert lane.transaction_sign(b"\x07" * 32, built) == lane.transaction_sign(b"\x07" * 32, built)

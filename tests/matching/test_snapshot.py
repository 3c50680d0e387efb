"""Snapshots: a damaged one is passed over, another's is refused, none is needed."""

import struct
import uuid
from hashlib import sha256
from pathlib import Path
from random import Random
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching import snapshot
from matching.engine import Engine
from matching.journal import OtherInstance
from matching.protocol.commands import SetEligibility
from matching.snapshot import (
    KEPT,
    SnapshotDamaged,
    newest_engine,
    read_snapshot,
    snapshots,
    write_snapshot,
)
from tests.matching.garbage import bent, bounded, garbage
from tests.matching.market import ALICE, BOB, BUY, SELL, Market

INSTANCE = str(uuid.UUID(int=1))
HEADER_BYTES = 84


@pytest.fixture
def busy(market: Market) -> Market:
    """A market with fills, holds, references and restrictions."""
    for price in range(100, 110):
        market.rest(ALICE, SELL, price, 3)
        market.rest(BOB, BUY, price - 20, 2)
    market.place(BOB, BUY, 103, 7)
    market.do(SetEligibility(102, 9, 1, frozen=True))
    return market


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 100])
def test_snapshot_gives_the_engine_back(
    busy: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(snapshot, "CHUNK_BYTES", chunk_bytes)
    path = write_snapshot(tmp_path, INSTANCE, busy.engine)
    engine, instance = read_snapshot(path)
    engine._check()
    assert instance == INSTANCE
    assert (engine.sequence, engine.time_ns) == (busy.engine.sequence, busy.engine.time_ns)
    assert engine.state_hash() == busy.engine.state_hash()


def test_newest_fitting_snapshot_is_used_and_only_a_few_are_kept(
    market: Market, tmp_path: Path
) -> None:
    for price in range(100, 100 + KEPT + 2):
        market.rest(ALICE, SELL, price, 1)
        write_snapshot(tmp_path, INSTANCE, market.engine)
    last = market.engine.sequence
    assert [sequence for sequence, _ in snapshots(tmp_path)] == [
        last - back for back in range(KEPT)
    ]
    assert newest_engine(tmp_path, INSTANCE).sequence == last
    assert newest_engine(tmp_path, INSTANCE, at_most=last - 1).sequence == last - 1
    assert newest_engine(tmp_path, INSTANCE, at_most=3).sequence == 0


def test_snapshot_with_any_byte_flipped_is_damaged(busy: Market, tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, INSTANCE, busy.engine)
    whole = path.read_bytes()
    for place in [*range(120), *range(120, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SnapshotDamaged, match=path.name):
            read_snapshot(path)
    for size in (0, 10, 90, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(SnapshotDamaged):
            read_snapshot(path)


def test_older_snapshot_is_used_when_the_newer_is_damaged(market: Market, tmp_path: Path) -> None:
    write_snapshot(tmp_path, INSTANCE, market.engine)
    older = market.engine.sequence
    market.rest(ALICE, SELL, 100, 1)
    newer = write_snapshot(tmp_path, INSTANCE, market.engine)
    newer.write_bytes(newer.read_bytes()[:-1])
    said: list[str] = []
    engine = newest_engine(tmp_path, passed_over=lambda damaged: said.append(str(damaged)))
    assert engine.sequence == older
    assert len(said) == 1 and newer.name in said[0]


def test_without_any_sound_snapshot_the_engine_is_new(market: Market, tmp_path: Path) -> None:
    assert newest_engine(tmp_path).sequence == 0
    write_snapshot(tmp_path, INSTANCE, market.engine).write_bytes(b"")
    assert newest_engine(tmp_path).state_hash() == Engine().state_hash()


def test_snapshot_of_another_instance_is_refused(market: Market, tmp_path: Path) -> None:
    write_snapshot(tmp_path, INSTANCE, market.engine)
    with pytest.raises(OtherInstance, match=INSTANCE):
        newest_engine(tmp_path, str(uuid.UUID(int=2)))


@garbage
@given(random=st.randoms(use_true_random=False))
def test_bent_snapshot_is_damaged_or_the_same(busy: Market, tmp_path: Path, random: Random) -> None:
    path = write_snapshot(tmp_path, INSTANCE, busy.engine)
    path.write_bytes(bent(random, path.read_bytes()))
    _damaged_or(busy.engine.state_hash(), path)


@garbage
@given(random=st.randoms(use_true_random=False))
def test_bent_image_with_a_sound_checksum_is_damaged_or_an_engine(
    busy: Market, tmp_path: Path, random: Random
) -> None:
    path = write_snapshot(tmp_path, INSTANCE, busy.engine)
    data = path.read_bytes()
    body = bent(random, data[HEADER_BYTES:])
    head = data[:40] + struct.pack(">Q", len(body)) + sha256(body).digest()
    path.write_bytes(head + struct.pack(">I", crc32(head)) + body)
    _damaged_or("", path)


def _damaged_or(state_hash: str, path: Path) -> None:
    """Assert that a snapshot is refused as damaged, or gives an engine (of this state)."""
    with bounded(8 << 20):
        try:
            engine, _ = read_snapshot(path, INSTANCE)
        except SnapshotDamaged:
            return
    assert not state_hash or engine.state_hash() == state_hash


def test_snapshot_under_the_name_of_another_sequence_is_damaged(
    busy: Market, tmp_path: Path
) -> None:
    path = write_snapshot(tmp_path, INSTANCE, busy.engine)
    other = path.rename(path.with_name(f"{1:020d}.snapshot"))
    with pytest.raises(SnapshotDamaged, match=f"names sequence {busy.engine.sequence}"):
        read_snapshot(other)

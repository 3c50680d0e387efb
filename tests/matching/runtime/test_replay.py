"""`python -m matching replay`: what it counts, what it refuses, and for whom it prints."""

import sys
import uuid
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from matching.__main__ import main
from matching.journal import JournalReader, JournalWriter
from matching.journal.format import SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, segments
from matching.protocol.commands import CancelAll, Sequenced
from matching.runtime.replay import Replayed
from matching.snapshot import write_snapshot
from tests.matching.market import ALICE, BOB, BUY, SELL, Market

INSTANCE = str(uuid.UUID(int=1))


def journal_written(directory: Path, log: Iterable[Sequenced], per_batch: int = 5) -> None:
    """Write what a market was given as a journal."""
    commands = list(log)
    writer = JournalWriter(
        directory, INSTANCE, end=JournalReader(directory), segment_bytes=SEGMENT_BYTES_MIN
    )
    for start in range(0, len(commands), per_batch):
        writer.append(commands[start : start + per_batch])
    writer.close()


@pytest.fixture
def traded(market: Market, tmp_path: Path) -> Market:
    """A market of one fill and two refusals, in the journal of the folder `tmp_path`."""
    market.rest(ALICE, SELL, 100, 5)
    market.place(BOB, BUY, 100, 2)
    market.place(BOB, BUY, 0, 2)
    market.do(CancelAll(77))
    journal_written(tmp_path, market.log)
    return market


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["matching", *map(str, arguments)])
    return main()


def test_replay_counts_what_it_reads(
    traded: Market,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(monkeypatch, "replay", tmp_path, "--json") == 0
    replayed = msgspec.json.decode(capsys.readouterr().out, type=Replayed)
    assert (replayed.instance, replayed.from_sequence) == (INSTANCE, 0)
    assert replayed.sequence == len(traded.log) == sum(replayed.commands.values())
    assert (replayed.segments, replayed.batches) == (1, -(-len(traded.log) // 5))
    assert (replayed.accounts, replayed.orders, replayed.fills) == (5, 1, 1)
    assert replayed.commands["PlaceOrder"] == 3 and replayed.commands["Credit"] == 12
    assert replayed.events["Filled"] == 1 and replayed.events["OrderAccepted"] == 2
    assert replayed.refusals == {"price_invalid": 1, "unknown_account": 1}
    assert replayed.state_hash == traded.engine.state_hash()


def test_replay_from_a_snapshot_counts_only_what_follows(
    market: Market,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_snapshot(tmp_path, INSTANCE, market.engine)
    before = market.engine.sequence
    market.rest(ALICE, SELL, 100, 5)
    journal_written(tmp_path, market.log)
    assert _run(monkeypatch, "replay", tmp_path, "--snapshot", "--json") == 0
    replayed = msgspec.json.decode(capsys.readouterr().out, type=Replayed)
    assert (replayed.from_sequence, replayed.sequence) == (before, before + 1)
    assert replayed.commands == {"PlaceOrder": 1}
    assert replayed.state_hash == market.engine.state_hash()


def test_replay_is_shown_to_a_person_without_the_flag(
    traded: Market,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(monkeypatch, "replay", tmp_path) == 0
    shown = capsys.readouterr()
    rows = {tuple(line.split()) for line in shown.out.splitlines()}
    assert {("open", "orders", "1"), ("price_invalid", "1"), ("Credit", "12")} <= rows
    assert ("state", "hash", traded.engine.state_hash()) in rows
    assert shown.err == ""


def test_replay_names_the_first_bad_record(
    traded: Market,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ((_, segment),) = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    data[SEGMENT_HEADER_BYTES + 40] ^= 1
    segment.write_bytes(data)
    assert _run(monkeypatch, "replay", tmp_path) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"segment {segment}, offset {SEGMENT_HEADER_BYTES}, record of sequence 1" in shown.err


def test_replay_of_a_folder_without_a_journal_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "replay", tmp_path / "nowhere") == 1
    assert "holds no journal segment" in capsys.readouterr().err

"""A start from a large snapshot and a long journal, and the leader beside a snapshot being written.

All of it runs in the processes that production runs: the engine, the snapshot process, a client.
What must not live here: a shorter way of loading than a start takes.
"""

import os
import resource
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any, Self

import msgspec

from matching.client.frames import Dialogue
from matching.journal import JournalReader, JournalWriter
from matching.journal.format import SEGMENT_BYTES
from matching.protocol.codec import Answer
from matching.protocol.commands import AnyCommand, CancelAll, CancelOrder, PlaceOrder, Sequenced
from matching.protocol.events import OrderAccepted, OrderCancelled
from matching.protocol.units import OrderKind, Side, TimeInForce
from matching.snapshot import newest_engine, write_snapshot
from tests.benchmarks.flow import INSTRUMENT, MID_TICKS, REVENUE, Generator, market
from tests.benchmarks.runs import Figures, say
from tests.matching.processes import EngineHost
from tests.waiting import wait_until

BATCH = 1_000
START_S = 300


class Sizes(msgspec.Struct, frozen=True):
    """Resting orders and accounts of the snapshot, commands behind it, and the steady load.

    `seconds` are those of each half of a round: one without, one with a snapshot being written.
    """

    orders: int = 1_000_000
    accounts: int = 100_000
    commands: int = 1_000_000
    seconds: float = 10
    rounds: int = 3
    commands_per_s: int = 1_000


def recovery() -> Figures:
    """Measure with the sizes of NEXUS_BENCH_RECOVERY, `orders=...,accounts=...`, if that is set."""
    given = os.environ.get("NEXUS_BENCH_RECOVERY", "")
    pairs = dict(pair.split("=") for pair in given.split(",") if pair)
    return measured(msgspec.convert(pairs, Sizes, strict=False))


def measured(sizes: Sizes) -> Figures:
    """Return what a snapshot costs, what a start from it costs, and how the leader fares."""
    host = EngineHost(SEGMENT_BYTES)
    try:
        host.valkey.start()
        where = (host.journal, host.address.instance)
        _alone(_prepare, *where, sizes)
        say(f"{sizes}: prepared")
        figures: Figures = _alone(_written, *where, host.directory)
        say(f"written: {figures}")
        figures |= _started(host)
        say(f"started: {figures}")
        return figures | _steady(host, sizes)
    finally:
        host.close()


def _alone(function: Any, *arguments: Any) -> Any:
    """Call in a process of its own, whose memory is nobody else's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _prepare(journal: Path, instance: str, sizes: Sizes) -> None:
    """Leave a snapshot of the resting orders, and the commands behind it in a journal."""
    journal.mkdir()
    made = Generator(sizes.orders, sizes.accounts)
    for command in market(sizes.accounts):
        made.apply(command)
    for _ in range(sizes.orders):
        made.apply(made.add())
    assert made.resting == sizes.orders, f"{made.resting} orders rest"
    write_snapshot(journal, instance, made.engine)
    writer = JournalWriter(
        journal, instance, end=JournalReader(journal), segment_bytes=SEGMENT_BYTES
    )
    batch: list[Sequenced] = []
    for _ in range(sizes.commands):
        batch.append(made.apply(made.next()))
        if len(batch) == BATCH:
            writer.append(batch)
            batch.clear()
    if batch:
        writer.append(batch)
    writer.close()


def _written(journal: Path, instance: str, elsewhere: Path) -> Figures:
    """Write the snapshot again, as the snapshot process does, and return what that took."""
    engine = newest_engine(journal)
    started = time.perf_counter()
    path = write_snapshot(elsewhere, instance, engine)
    return {
        "snapshot_write_s": round(time.perf_counter() - started, 2),
        "snapshot_mib": path.stat().st_size >> 20,
        "snapshot_writer_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def _started(host: EngineHost) -> Figures:
    """Start the engine and return how long it took from the process's beginning to `ready`."""
    begun = time.time()
    host.launch()
    wait_until(lambda: '"ready"' in host.log, timeout_s=START_S)
    at = {
        line["event"]: datetime.fromisoformat(line["time"]).timestamp() - begun
        for line in map(msgspec.json.decode, host.log.splitlines())
    }
    return {
        "restart_s": round(at["ready"], 2),
        "restart_load_s": round(at["snapshot_loaded"], 2),
        "restart_replay_s": round(at["recovered"] - at["snapshot_loaded"], 2),
        "restart_cpu_s": _processor_s(host.pid),
        "restart_peak_mib": _peak_mib(host.pid),
    }


def _processor_s(pid: int) -> float:
    """Return the processor time of a process, in which the neighbours' load counts less."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kib) >> 10


def _steady(host: EngineHost, sizes: Sizes) -> Figures:
    """Offer a steady load, in turn without and with a snapshot being written."""
    # The first command of a trade date drops the client order ids of the one before the last.
    begun = time.perf_counter()
    host.client(START_S).send(CancelAll(REVENUE + 1))
    figures: Figures = {"first_of_day_s": round(time.perf_counter() - begun, 2)}
    quiet: list[float] = []
    writing: list[float] = []
    with _snapshots(host) as process, _Steady(host, sizes) as load:
        for number in range(sizes.rounds):
            # Between two: what the disk has still to do of one would count as quiet.
            wait_until(lambda: _snapshots_at(host) == host.status().sequence, timeout_s=START_S)
            process.send_signal(signal.SIGSTOP)
            quiet += load.offer()
            process.send_signal(signal.SIGCONT)
            writing += load.offer()
            say(f"round {number + 1}: p99 {_at(quiet, 0.99)} us, {_at(writing, 0.99)} us writing")
        written = [told["seconds"] for told in _snapshots_told(host)]
        peak = _peak_mib(process.pid)
    figures |= {
        "snapshots_written": len(written),
        "snapshots_s": round(statistics.median(written), 2),
        "snapshots_peak_mib": peak,
    }
    for name, part in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        figures[f"leader_{name}_us"] = _at(quiet, part)
        figures[f"leader_{name}_us_writing"] = _at(writing, part)
        figures[f"leader_{name}_ratio"] = round(_at(writing, part) / _at(quiet, part), 2)
    return figures


@contextmanager
def _snapshots(host: EngineHost) -> Iterator[subprocess.Popen[bytes]]:
    """Run the snapshot process, which writes one after the other, from when it has written one."""
    with (host.directory / "snapshots.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "matching", "snapshots", "--every-commands", "1"],
            env=host.environment(),
            stderr=log,
        )
    try:
        # Its newest snapshot stands behind the engine by all that was replayed: it writes at once.
        wait_until(lambda: _snapshots_told(host), timeout_s=START_S)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def _snapshots_told(host: EngineHost) -> list[dict[str, Any]]:
    """Return what the snapshot process says of each snapshot that it has written."""
    lines = (host.directory / "snapshots.log").read_text().splitlines()
    told: Iterable[dict[str, Any]] = map(msgspec.json.decode, lines)
    return [line for line in told if line["event"] == "snapshot_written"]


def _snapshots_at(host: EngineHost) -> int:
    told = _snapshots_told(host)
    return told[-1]["sequence"] if told else 0


class _Steady:
    """One client that places and cancels by the clock, whether it has been answered or not."""

    def __init__(self, host: EngineHost, sizes: Sizes) -> None:
        self._sizes = sizes
        self._dialogue = Dialogue()
        self._number = 0
        self._sock = socket(AF_UNIX, SOCK_STREAM)
        self._sock.connect(str(host.address.socket_path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._sock.close()

    def offer(self) -> list[float]:
        """Return how long each answer took, in seconds from when its command was to be sent."""
        count = int(self._sizes.seconds * self._sizes.commands_per_s)
        begun = time.perf_counter()
        due = [begun + number / self._sizes.commands_per_s for number in range(count)]
        took: list[float] = []
        sent = 0
        while len(took) < count:
            now = time.perf_counter()
            late = sent
            while late < count and due[late] <= now:
                late += 1
            if late > sent:
                self._sock.sendall(self._dialogue.requests([self._next() for _ in due[sent:late]]))
                sent = late
            wait_s = max(0.0, due[sent] - time.perf_counter()) if sent < count else START_S
            if select.select([self._sock], [], [], wait_s)[0]:
                answers = self._dialogue.answers(self._sock.recv(1 << 16))
                at = time.perf_counter()
                took += [at - due[len(took) + place] for place in range(len(answers))]
                for answer in answers:
                    assert isinstance(answer, Answer)
                    assert isinstance(answer.events[0], OrderAccepted | OrderCancelled), answer
        return took

    def _next(self) -> AnyCommand:
        """Return an order that rests far from the middle, then its cancel, and so on."""
        number, cancels = divmod(self._number, 2)
        self._number += 1
        name = f"steady-{number:010d}"
        if cancels:
            return CancelOrder(REVENUE + 1, 0, name)
        kind, force = OrderKind.LIMIT, TimeInForce.GTC
        price = MID_TICKS + MID_TICKS // 2
        return PlaceOrder(REVENUE + 1, name, INSTRUMENT, Side.SELL, kind, force, price, 1)


def _at(seconds: list[float], part: float) -> int:
    """Return a quantile in microseconds."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1_000_000)

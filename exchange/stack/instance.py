"""One named instance of the exchange on this host: its folders, identity and secrets.

The one place that knows where an instance keeps what. What must not live here: processes.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exchange.stack.errors import StackError
from exchange.stack.folders import private_folder, secret_file, socket_path

REPOSITORY = Path(__file__).resolve().parents[2]
NAME_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,39}")
BODIES = ("venue", "clearing", "custody", "compliance")
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # SEC 2, 2.4.1


def instances_root() -> Path:
    """Return the folder that holds all instances: NEXUS_HOME, or build/instances of the tree."""
    named = os.environ.get("NEXUS_HOME")
    return Path(named).resolve() if named else REPOSITORY / "build" / "instances"


@dataclass(frozen=True)
class Instance:
    """Name an instance and derive every path of it.

    `home` keeps what must last; `runtime`, short enough for socket names, keeps sockets, pid files
    and the lock, and under root PostgreSQL's data too, since PostgreSQL refuses to run as root and
    an unprivileged user cannot pass through root's home.
    """

    name: str
    root: Path

    @classmethod
    def named(cls, name: str, root: Path | None = None) -> "Instance":
        """Return the instance `name`. Raises StackError for a name that is not a plain word."""
        if not NAME_PATTERN.fullmatch(name):
            raise StackError(
                f"instance name {name!r} must be 1 to 40 of a-z, 0-9 and -, starting with a letter"
            )
        return cls(name, (root or instances_root()).resolve())

    @property
    def home(self) -> Path:
        return self.root / self.name

    @property
    def runtime(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(f"/var/tmp/nexus-{os.geteuid()}-{digest}")

    @property
    def journal(self) -> Path:
        return self.home / "journal"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def chain(self) -> Path:
        return self.home / "chain"

    @property
    def valkey(self) -> Path:
        return self.home / "valkey"

    @property
    def postgres(self) -> Path:
        return (self.runtime if os.geteuid() == 0 else self.home) / "postgres"

    @property
    def postgres_sockets(self) -> Path:
        return self.runtime / "pg"

    @property
    def valkey_socket(self) -> Path:
        return socket_path(self.runtime / "valkey.sock")

    @property
    def engine_socket(self) -> Path:
        return socket_path(self.runtime / "engine.sock")

    @property
    def engine_feed(self) -> Path:
        """Where the leading engine feeds its standby."""
        return socket_path(self.runtime / "feed.sock")

    @property
    def pids(self) -> Path:
        return self.runtime / "pids"

    @property
    def metrics(self) -> Path:
        """Where the door's processes count together; emptied whenever the door starts."""
        return self.runtime / "metrics"

    @property
    def environment_file(self) -> Path:
        """Where a running supervisor leaves the environment for management commands."""
        return self.runtime / "environment.json"

    @property
    def identity(self) -> uuid.UUID:
        """The UUID that stands in journal, database, stream and contracts; written once."""
        try:
            return uuid.UUID(json.loads((self.home / "instance.json").read_text())["uuid"])
        except FileNotFoundError:
            raise StackError(f"instance {self.name} has never been set up in {self.home}") from None

    def key_passphrase(self, body: str) -> str:
        """Read the passphrase of a body's key store; only that body's signer is given it."""
        return (self.keys / f"{body}.pass").read_text().strip()

    @property
    def lane_key(self) -> bytes:
        """The 32 bytes of the key that pays gas and can do nothing else."""
        return bytes.fromhex((self.keys / "lane.key").read_text())

    @property
    def secret_key(self) -> str:
        return (self.keys / "django.secret").read_text()

    def prepare(self) -> None:
        """Create folders, identity and secrets that are not there yet. Hold the lock.

        A runtime folder left by an instance whose home was erased by hand is emptied first: its
        database would speak of another instance. Raises StackError.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        private_folder(self.home)
        for folder in (self.journal, self.keys, self.logs, self.chain, self.valkey):
            private_folder(folder)
        record = {"name": self.name, "uuid": str(uuid.uuid4())}
        secret_file(self.home / "instance.json", json.dumps(record))
        mark = self.runtime / "identity"
        if mark.exists() and mark.read_text() != str(self.identity):
            for entry in self.runtime.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry.name != "lock":
                    entry.unlink()
        secret_file(mark, str(self.identity))
        private_folder(self.pids)
        for body in BODIES:
            secret_file(self.keys / f"{body}.pass", secrets.token_urlsafe(32))
        lane_key = secrets.randbelow(SECP256K1_ORDER - 1) + 1
        secret_file(self.keys / "lane.key", lane_key.to_bytes(32, "big").hex())
        secret_file(self.keys / "django.secret", secrets.token_urlsafe(50))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the instance for one supervisor. Raises StackError when another holds it."""
        # Under root 0711 lets the database's user pass to its own folder, and see nothing else.
        private_folder(self.runtime, mode=0o711 if os.geteuid() == 0 else 0o700)
        with open(self.runtime / "lock", "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StackError(
                    f"instance {self.name} is already run by process {lock.read() or 'unknown'}: "
                    f"stop it (python -m exchange.stack down --name {self.name}) or take another "
                    "--name"
                ) from None
            if not os.path.samestat(os.fstat(lock.fileno()), os.stat(lock.name)):
                raise StackError(f"instance {self.name} was erased this moment: start it again")
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                lock.truncate(0)

    def supervisor_pid(self) -> int | None:
        """Return the process that runs this instance now, or None."""
        try:
            with open(self.runtime / "lock") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or 0) or None
        except FileNotFoundError:
            pass
        return None

    def erase(self) -> None:
        """Remove database, journal, stream, chain state, keys and identity together.

        Hold the lock, and let nothing of the instance run.
        """
        if self.home.exists():
            shutil.rmtree(self.home)
        if self.runtime.exists():
            # The lock goes in one step with its folder: a new one may be made the next moment.
            shutil.rmtree(self.runtime.rename(f"{self.runtime}.erased-{os.getpid()}"))

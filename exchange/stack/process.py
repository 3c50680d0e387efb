"""One operating-system process of an instance: started so that it cannot outlive its supervisor.

What must not live here: which processes there are (processes.py) and when they restart (stack.py).
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from exchange.stack.errors import StackError
from exchange.stack.forks import Forked, ForkServer, child_settle


def _always() -> bool:
    return True


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Program:
    """Say how a process is started, told ready, and stopped.

    `level` orders starting (lower first; equal ones together) and, reversed, stopping. `prepare`
    runs before each start and `provision` after each readiness. `death_signal` is what the kernel
    sends when the supervisor dies: SIGKILL for what recovers from it by design, gentler for what
    would lose more than its last moment. `forked` programs are Python's, and share what many load;
    those in the `background` leave the processor to what answers traders.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    level: int
    cwd: Path
    ready: Callable[[], bool] = _always
    prepare: Callable[[], None] = _nothing
    provision: Callable[[], None] = _nothing
    user: int | None = None
    forked: bool = False
    background: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    start_timeout_s: int = 60
    stop_timeout_s: int = 15
    extra_env: Mapping[str, str] = field(default_factory=dict)


class Process:
    """Run a Program; its output goes to `log`, its pid and start time to `pid_file`."""

    def __init__(self, program: Program, *, log: Path, pid_file: Path, forks: ForkServer) -> None:
        self.program = program
        self.log = log
        self.pid_file = pid_file
        self.started_at = time.monotonic()
        program.prepare()
        with open(log, "ab") as output:
            self._log_start = output.tell()
            self._popen: subprocess.Popen[bytes] | Forked = (
                forks.fork(
                    program.argv,
                    name=program.name,
                    env={**program.env, **program.extra_env},
                    cwd=program.cwd,
                    death_signal=program.death_signal,
                    background=program.background,
                    output=output.fileno(),
                    errors=output.fileno(),
                )
                if program.forked
                else _start(program, output)
            )
        record = {
            "pid": self.pid,
            "started_ticks": start_ticks(self.pid),
            "stop_signal": int(program.stop_signal),
        }
        pid_file.write_text(json.dumps(record))

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, minus the signal's number if one ended it, or None while it runs."""
        return self._popen.poll()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait until the process has ended and return its status. Raises TimeoutExpired."""
        status = self._popen.wait(timeout_s)
        self.pid_file.unlink(missing_ok=True)
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to the process alone, if it still runs."""
        self._popen.send_signal(number)

    def finish(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, end what is left of its group, and tell whether it went by itself."""
        timeout_s = self.program.stop_timeout_s if timeout_s is None else timeout_s
        try:
            self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        willing = self.returncode is not None
        _group_kill(self.pid)
        self.wait()
        _group_reap(self.pid)
        return willing

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines this process wrote, to be shown beside a failure."""
        with open(self.log, "rb") as file:
            file.seek(max(self._log_start, os.fstat(file.fileno()).st_size - 4096))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def _start(program: Program, output: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        list(program.argv),
        env={**program.env, **program.extra_env},
        cwd=program.cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops in order
        user=program.user,
        group=program.user,
        extra_groups=None if program.user is None else [],
        umask=0o077,
        # After the change of user, which would clear the signal again (prctl(2)). It takes no
        # lock and imports nothing, so that threads of ours cannot block it.
        preexec_fn=child_settle(  # noqa: PLW1509
            program.death_signal, os.getpid(), background=program.background
        ),
    )


def start_ticks(pid: int) -> int | None:
    """Return when `pid` started, in clock ticks since boot, or None if it does not run.

    Field 22 of proc_pid_stat(5): with the pid it names one process, however pids are used again.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def leftovers_end(pid_files: Path) -> list[str]:
    """End what an earlier run left running, by its pid files in this folder; say what that was."""
    found = []
    for pid_file in sorted(pid_files.glob("*.json")):
        pid = leftover_end(pid_file)
        if pid is not None:
            found.append(f"ended {pid_file.stem}, process {pid} of an earlier run")
    return found


def leftover_end(pid_file: Path, timeout_s: int = 10) -> int | None:
    """End the process a pid file of an earlier run names, if it runs still; return its pid.

    Children that outlived it go too. Raises StackError if it outlives SIGKILL.
    """
    try:
        record = json.loads(pid_file.read_text())
        pid, ticks = int(record["pid"]), record["started_ticks"]
        stop_signal = int(record["stop_signal"])
    except (ValueError, KeyError, TypeError):
        pid_file.unlink()  # torn by the crash: its process was bound to its supervisor's life
        return None
    found = None
    for number in (stop_signal, signal.SIGKILL):
        if ticks is None or start_ticks(pid) != ticks:
            break
        found = pid
        _group_kill(pid, number)
        deadline = time.monotonic() + timeout_s
        while start_ticks(pid) == ticks and time.monotonic() < deadline:
            time.sleep(0.02)
    else:
        if start_ticks(pid) == ticks:
            raise StackError(f"process {pid} of an earlier run does not end: end it by hand")
    if ticks is not None and start_ticks(pid) is None:
        _group_kill(pid)  # a group without its leader is still that of the pid file
    pid_file.unlink()
    return found


def _group_reap(pid: int) -> None:
    """Take note of the end of those that the group's leader left to us, of whom we may be told."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-pid, 0)


def _group_kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass

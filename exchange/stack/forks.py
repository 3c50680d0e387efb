"""Forks our processes from one that has loaded what they share, so that they start in a moment.

Loading Celery, Django and web3 takes a process a second; forked ones share that, and its memory.
The server is told neither settings nor secrets: these come with each request. What may not load so
much, the engine and the doors, is started by itself.
"""

import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from exchange.stack.errors import StackError

# Packages that most of our processes load, and of our own what reads no settings when loaded.
PRELOADED = (
    *("exchange.lean", "settlement.chain.client", "eth_account", "dj_database_url", "msgspec"),
    *("celery.bin.worker", "celery.apps.worker", "celery.apps.beat", "kombu.transport.redis"),
    *("django.core.management", "django.contrib.postgres.apps", "django.contrib.auth.hashers"),
    "cryptography.hazmat.primitives.asymmetric.ed25519",
)
PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36  # linux/prctl.h
REQUEST_BYTES_MAX = 64 * 1024
FORK_TIMEOUT_S = 60
ADOPTION_MS_MAX = 10_000
BACKGROUND_NICE = 10
COLLECTED_AT = 20_000  # objects made and not freed: a transaction of a follower makes thousands
_libc = ctypes.CDLL(None, use_errno=True)


class Forked:
    """A process that was forked for us and is our child; used like a `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, minus the signal's number if one ended it, or None."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status. Raises `subprocess.TimeoutExpired`."""
        if self.poll() is None:
            descriptor = os.pidfd_open(self.pid)
            try:
                ended, _, _ = select.select([descriptor], [], [], timeout)
            finally:
                os.close(descriptor)
            if not ended:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.poll()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkServer:
    """The supervisor's end: starts the server, and again should it die, and asks it to fork."""

    def __init__(self, *, env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self._env, self._cwd, self._log = env, cwd, log
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(self) -> None:
        """Let it begin to load; the first fork waits until that is done."""
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.settimeout(FORK_TIMEOUT_S)
        with theirs, open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "exchange.stack.forks", str(theirs.fileno())],
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                umask=0o077,
                preexec_fn=child_settle(signal.SIGKILL, os.getpid()),  # noqa: PLW1509  # as in process.py
            )

    def fork(
        self,
        argv: Sequence[str],
        *,
        name: str,
        env: Mapping[str, str],
        cwd: Path,
        death_signal: int,
        background: bool,
        output: int,
        errors: int,
    ) -> Forked:
        """Run Python's argument vector in a forked child of ours, writing to these descriptors.

        Raises StackError when the server dies of it.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self.start()
        assert self._requests is not None
        request = {
            "argv": argv[1:],
            "name": name,
            "env": dict(env),
            "cwd": str(cwd),
            "death_signal": int(death_signal),
            "background": background,
        }
        # Only for so long: whoever else loses its parent is not ours to wait for.
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
        try:
            socket.send_fds(self._requests, [json.dumps(request).encode()], [output, errors])
            pid = int(self._requests.recv(32) or b"0")
        except OSError as error:
            raise StackError(
                f"the fork server does not answer: {error} (see {self._log})"
            ) from None
        finally:
            _libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
        if not pid:
            raise StackError(f"the fork server died of starting {name} (see {self._log})")
        return Forked(pid)

    def close(self) -> None:
        """End the server; what it has forked lives on."""
        if self._requests is not None:
            self._requests.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._requests = None


def child_settle(number: int, parent: int, *, background: bool = False) -> Callable[[], None]:
    """Return what binds a child of the process `parent`, run in it, to that process' life.

    In the background it and its children leave the processor to what answers traders.
    """

    def settle() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it died before we were bound
            os._exit(1)
        if background:
            os.nice(BACKGROUND_NICE)
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    return settle


def main() -> None:
    """Serve requests; in each child, run what was asked for as Python would from its start."""
    argv = _serve(socket.socket(fileno=int(sys.argv[1])))
    match argv:
        case ["-m", module, *_]:
            sys.argv = argv[1:]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [script, *_]:
            sys.argv = argv
            runpy.run_path(script, run_name="__main__")


def _serve(requests: socket.socket) -> list[str]:
    """Fork a child for each request; return its arguments in it, and nothing when nobody asks."""
    supervisor = os.getppid()
    for name in PRELOADED:
        import_module(name)
    assert threading.active_count() == 1, "a thread does not survive a fork"
    gc.freeze()  # so that the children's collectors leave shared pages alone
    gc.set_threshold(COLLECTED_AT)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES_MAX, 2)
        if not message:
            return []
        between = os.fork()
        if not between:
            if os.fork():
                os._exit(0)  # which leaves the child to the supervisor
            request = json.loads(message)
            _settle(request, descriptors, supervisor)
            with requests:
                requests.send(str(os.getpid()).encode())
            return list(request["argv"])
        os.waitpid(between, 0)
        for descriptor in descriptors:
            os.close(descriptor)


def _settle(request: Mapping[str, Any], descriptors: Iterable[int], supervisor: int) -> None:
    """Make the forked child what a process started by the supervisor would be."""
    for _ in range(ADOPTION_MS_MAX):
        if os.getppid() == supervisor:
            break
        time.sleep(0.001)
    child_settle(request["death_signal"], supervisor, background=request["background"])()
    os.setsid()
    _libc.prctl(PR_SET_NAME, request["name"].encode())
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])


if __name__ == "__main__":
    main()

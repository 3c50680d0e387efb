"""Processes forked from one that has loaded for them: ours as if we had started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.stack.forks import Forked, ForkServer
from exchange.stack.instance import REPOSITORY
from exchange.stack.process import start_ticks
from tests.waiting import wait_until

ENV = {"PATH": os.environ["PATH"], "TZ": "UTC"}
ASLEEP = "import signal; print('asleep', flush=True); signal.pause()"
SUPERVISOR = """
import signal, sys
from pathlib import Path
from tests.stack.test_forks import forked, server_of
with server_of(Path(sys.argv[1])) as server:
    print(forked(server, Path(sys.argv[1]), sys.argv[2]).pid, flush=True)
    signal.pause()
"""


def server_of(folder: Path) -> ForkServer:
    return ForkServer(env=ENV, cwd=REPOSITORY, log=folder / "forks.log")


def forked(
    server: ForkServer, folder: Path, code: str, *arguments: str, background: bool = False
) -> Forked:
    """Run a script of this code; its output is in the file `output`."""
    (folder / "script.py").write_text(code)
    with open(folder / "output", "ab") as output:
        return server.fork(
            [sys.executable, str(folder / "script.py"), *arguments],
            name="a-script",
            env={**ENV, "SECRET": "opened"},
            cwd=folder,
            death_signal=signal.SIGKILL,
            background=background,
            output=output.fileno(),
            errors=output.fileno(),
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with server_of(tmp_path_factory.mktemp("forks")) as server:
        yield server


def test_forked_process_has_arguments_environment_folder_and_session(
    server: ForkServer, tmp_path: Path
) -> None:
    code = (
        "import os, sys\nprint(sys.argv[1:], os.environ['SECRET'], os.getcwd())\n"
        "print(os.getsid(0) == os.getpid(), os.getppid(), sys.stdin.read() == '', __name__)\n"
        "sys.exit(3)"
    )
    assert forked(server, tmp_path, code, "one", "two").wait(60) == 3
    assert (tmp_path / "output").read_text().splitlines() == [
        f"['one', 'two'] opened {tmp_path}",
        f"True {os.getpid()} True __main__",
    ]


def test_secrets_of_a_forked_process_do_not_show(server: ForkServer, tmp_path: Path) -> None:
    process = forked(server, tmp_path, ASLEEP)
    wait_until(lambda: (tmp_path / "output").read_text() == "asleep\n")
    assert b"SECRET" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    assert Path(f"/proc/{process.pid}/comm").read_text() == "a-script\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    assert process.poll() == -signal.SIGKILL


def test_background_leaves_the_processor_to_others(server: ForkServer, tmp_path: Path) -> None:
    code = "import os\nprint(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))"
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert forked(server, tmp_path, code).wait(60) == 0
    assert forked(server, tmp_path, code, background=True).wait(60) == 0
    assert (tmp_path / "output").read_text().splitlines() == [
        f"{own} {os.SCHED_OTHER}",
        f"{min(own + 10, 19)} {os.SCHED_BATCH}",
    ]


def test_failure_is_told_by_status_and_output(server: ForkServer, tmp_path: Path) -> None:
    assert forked(server, tmp_path, "raise ValueError('of the script')").wait(60) == 1
    assert "ValueError: of the script" in (tmp_path / "output").read_text()


def test_forked_process_outlives_the_server_and_another_is_started(tmp_path: Path) -> None:
    with server_of(tmp_path) as server:
        first = forked(server, tmp_path, ASLEEP)
        assert server._process is not None
        server._process.kill()
        server._process.wait()
        second = forked(server, tmp_path, ASLEEP)
        assert first.poll() is None
    for process in (first, second):
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


def test_forked_process_dies_with_its_supervisor(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path), ASLEEP],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        assert start_ticks(pid) is not None
        supervisor.kill()
    wait_until(lambda: start_ticks(pid) is None)

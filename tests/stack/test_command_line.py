"""The command line, with the whole exchange behind it: up, status, command, down, reset."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.settings.tasks import SWEEPS
from exchange.stack import Instance
from exchange.stack.instance import REPOSITORY
from exchange.stack.processes import PARTS, ROWS
from exchange.stack.readiness import health_read
from matching.client.heartbeat import ALIVE_S
from tests.waiting import wait_until

NAME = "commanded"


def _stack(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "exchange.stack", *arguments],
        cwd=REPOSITORY,
        env=_environment(root),
        capture_output=True,
        text=True,
        check=False,
    )


def _environment(root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return {**kept, "NEXUS_HOME": str(root), "COLUMNS": "60"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("instances")


@pytest.fixture(scope="module")
def instance(root: Path) -> Instance:
    return Instance.named(NAME, root)


@pytest.fixture(scope="module")
def running(root: Path, instance: Instance) -> Iterator["subprocess.Popen[str]"]:
    """`up` in another process, as in another terminal, until it says how to stop it."""
    with subprocess.Popen(
        [sys.executable, "-m", "exchange.stack", "up", "--name", NAME, "--port", "8017"],
        cwd=REPOSITORY,
        env=_environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C stops it" in line:
                break
        else:
            pytest.fail("".join(said))
        yield process
        process.terminate()
        process.communicate()
    with instance.locked():
        instance.erase()


def _shown(root: Path) -> str:
    return _stack(root, "status", "--name", NAME).stdout


def _causes(instance: Instance) -> set[str]:
    """Return the parts that /health finds wrong."""
    environment = json.loads(instance.environment_file.read_text())
    health = health_read(environment["NEXUS_WEB_URL"])
    return {cause["part"] for cause in health["causes"]} if health else {"web"}


def _pids(instance: Instance) -> dict[str, int]:
    return {path.stem: json.loads(path.read_text())["pid"] for path in instance.pids.glob("*.json")}


def test_commands_say_so_when_the_instance_is_down(root: Path) -> None:
    assert _stack(root, "status", "--name", "absent").returncode == 1
    down = _stack(root, "down", "--name", "absent")
    assert (down.returncode, down.stdout) == (0, "absent is not running\n")
    command = _stack(root, "command", "--name", "absent", "check")
    assert (command.returncode, "absent is not running" in command.stdout) == (1, True)
    assert "name the instance to erase" in _stack(root, "reset").stdout


def test_status_lists_every_process_when_up(
    root: Path, instance: Instance, running: "subprocess.Popen[str]"
) -> None:
    shown = _stack(root, "status", "--name", NAME)
    assert shown.returncode == 0
    runs = set(re.findall(r"│ (\S+) +│ \d+ +│ runs +│", shown.stdout))
    assert runs == {"supervisor", *PARTS, *(row.name for row in ROWS)}
    wait_until(lambda: not _causes(instance), timeout_s=90)
    well = set(re.findall(r"│ (\S+) +│ \d+ +│ runs +│ ok +│", _shown(root)))
    assert well == {row.name for row in ROWS}
    health = health_read(json.loads(instance.environment_file.read_text())["NEXUS_WEB_URL"])
    assert set(health["sweeps_s_ago"]) == set(SWEEPS)
    assert set(health["dead_letters"].values()) == {0}


def test_status_names_processes_that_hang(
    root: Path, instance: Instance, running: "subprocess.Popen[str]"
) -> None:
    hanging = ["ledger", "custody-signer", "venue-clearing", "snapshots", "worker", "beat"]
    pids = _pids(instance)
    for name in hanging:
        os.kill(pids[name], signal.SIGSTOP)
    try:
        expected = {f"process:{name}" for name in hanging}
        wait_until(lambda: expected <= _causes(instance), timeout_s=4 * ALIVE_S)
        shown = _shown(root)
        assert "\nprocess:beat: beat shows no sign of life\n" in shown
        assert shown.endswith("\nnot healthy\n")
    finally:
        for name in hanging:
            os.kill(pids[name], signal.SIGCONT)
    wait_until(lambda: not _causes(instance), timeout_s=90)
    assert _shown(root).endswith("\nhealthy\n")


def test_nobody_sees_a_passphrase_in_the_process_table(
    instance: Instance, running: "subprocess.Popen[str]"
) -> None:
    for pid in _pids(instance).values():
        assert b"NEXUS_SIGNER_PASSPHRASE" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_command_acts_on_the_running_instance(root: Path, running: "subprocess.Popen[str]") -> None:
    shown = _stack(root, "command", "--name", NAME, "showmigrations", "--plan")
    assert shown.returncode == 0, shown.stderr
    assert "[X]" in shown.stdout
    assert "[ ]" not in shown.stdout


def test_running_instance_is_neither_run_twice_nor_erased(
    root: Path, running: "subprocess.Popen[str]"
) -> None:
    for arguments in (("up", "--name", NAME), ("reset", NAME)):
        refused = _stack(root, *arguments)
        assert refused.returncode == 1
        assert f"is already run by process {running.pid}" in refused.stdout


def test_nothing_runs_when_taken_down(
    root: Path, instance: Instance, running: "subprocess.Popen[str]"
) -> None:
    groups = _pids(instance)
    assert _stack(root, "down", "--name", NAME).returncode == 0
    assert running.wait() == 0
    assert running.stdout is not None
    assert "nothing is left running" in running.stdout.read()
    wait_until(lambda: not [name for name, pid in groups.items() if _group_runs(pid)])
    assert _stack(root, "status", "--name", NAME).returncode == 1
    log = instance.logs / "supervisor.log"
    assert not log.exists() or "was killed" not in log.read_text()


def _group_runs(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True

"""The embedded parts: they start anywhere, for root and for an ordinary user, and leave nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, Signals

import psycopg
import pytest
import redis

from exchange.stack import Stack, StackError
from exchange.stack.chain import chain_call, lane_address
from exchange.stack.environment import outside_urls
from exchange.stack.instance import REPOSITORY
from exchange.stack.outside import outside_probe
from exchange.stack.process import leftovers_end, start_ticks
from exchange.stack.processes import PARTS
from tests.conftest import StackFactory
from tests.waiting import wait_until

HOLD = """
import sys
from pathlib import Path
from exchange.stack import Stack
with Stack("held", root=Path(sys.argv[1]), processes=(), parts=("postgres", "valkey", "chain"),
           setup=(), durable=False) as stack:
    print(*(stack.process(name).pid for name in stack.names), flush=True)
    sys.stdin.read()
"""
AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    # The interpreter may lie in root's home: the ordinary user reads it by this one capability.
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


def _parts_answer(stack: Stack) -> None:
    with psycopg.connect(stack.urls["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with redis.Redis.from_url(stack.urls["REDIS_URL"]) as client:
        assert client.ping()
    assert chain_call(stack.urls["CHAIN_URL"], "eth_chainId") == hex(31337)


def _held(root: Path, *prefix: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", HOLD, str(root)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _pids(holder: "subprocess.Popen[str]") -> list[int]:
    assert holder.stdout is not None
    pids = [int(pid) for pid in holder.stdout.readline().split()]
    assert len(pids) == len(PARTS)
    return pids


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may pass to, given to nobody under root."""
    folder = Path(f"/var/tmp/nexus-test-{os.getpid()}")
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    yield folder
    shutil.rmtree(folder)


def test_parts_keep_their_state_when_started_again(new_stack: StackFactory) -> None:
    stack = new_stack("kept", processes=(), parts=PARTS, setup=())
    identity = stack.instance.identity
    with psycopg.connect(stack.urls["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    with redis.Redis.from_url(stack.urls["REDIS_URL"]) as client:
        client.set("kept", "7")
    chain_call(stack.urls["CHAIN_URL"], "anvil_setBalance", "0x" + 40 * "1", hex(7))
    stack.close()
    with Stack("kept", processes=(), parts=PARTS, setup=()) as again:
        assert again.instance.identity == identity
        with psycopg.connect(again.urls["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)
        with redis.Redis.from_url(again.urls["REDIS_URL"]) as client:
            assert client.get("kept") == b"7"
        balance = chain_call(again.urls["CHAIN_URL"], "eth_getBalance", "0x" + 40 * "1", "latest")
        assert balance == hex(7)


def test_nothing_is_left_running_when_stopped(new_stack: StackFactory) -> None:
    stack = new_stack(processes=(), parts=PARTS, setup=())
    pids = [stack.process(name).pid for name in stack.names]
    assert len(pids) == len(PARTS)
    stack.close()
    assert [pid for pid in pids if _group_runs(pid)] == []
    assert list(stack.instance.pids.iterdir()) == []


def _group_runs(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def test_parts_start_under_a_long_path_with_blanks(tmp_path: Path, new_stack: StackFactory) -> None:
    root = tmp_path / "a folder" / ("long" * 45) / ("longer" * 30)
    assert len(str(root)) > 350
    _parts_answer(new_stack("far", root=root, processes=(), parts=PARTS, setup=()))


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
@pytest.mark.skipif(
    not all(folder.stat().st_mode & 0o001 for folder in REPOSITORY.parents),
    reason="the tree lies where no ordinary user could have cloned it",
)
def test_parts_start_when_run_by_an_ordinary_user(open_folder: Path) -> None:
    root = open_folder / ("long" * 40)
    holder = _held(root, *AS_NOBODY)
    pids = _pids(holder)
    assert {os.stat(f"/proc/{pid}").st_uid for pid in pids} == {65534}
    assert (root / "held" / "postgres" / "data" / "PG_VERSION").exists()
    holder.communicate()
    assert holder.returncode == 0
    assert [pid for pid in pids if _group_runs(pid)] == []
    subprocess.run([*AS_NOBODY, sys.executable, "-c", ERASE, str(root)], cwd=REPOSITORY, check=True)


ERASE = """
import sys
from pathlib import Path
from exchange.stack import Instance
instance = Instance.named("held", Path(sys.argv[1]))
with instance.locked():
    instance.erase()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_database_is_not_roots_when_run_by_root(new_stack: StackFactory) -> None:
    stack = new_stack(processes=(), parts=("postgres",), setup=())
    assert os.stat(f"/proc/{stack.process('postgres').pid}").st_uid == 65534
    assert (
        subprocess.run(
            [*AS_NOBODY, "ls", str(stack.instance.valkey_socket)], capture_output=True, check=False
        ).returncode
        != 0
    )
    refused = subprocess.run(
        [*AS_NOBODY, sys.executable, "-c", CONNECT, stack.urls["DATABASE_URL"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "Peer authentication failed" in refused.stderr


CONNECT = "import psycopg, sys; psycopg.connect(sys.argv[1])"


@pytest.mark.parametrize("number", [SIGKILL, Signals.SIGTERM])
def test_children_die_when_the_supervisor_does(tmp_path: Path, number: Signals) -> None:
    holder = _held(tmp_path)
    pids = _pids(holder)
    holder.send_signal(number)
    holder.wait()
    wait_until(lambda: not any(_group_runs(pid) for pid in pids))
    with Stack("held", root=tmp_path, processes=(), parts=PARTS, setup=()) as stack:
        _parts_answer(stack)  # over stale sockets, pid files and postmaster.pid
        stack.erase()


def test_leftover_is_ended_when_an_earlier_run_crashed(new_stack: StackFactory) -> None:
    stack = new_stack("crashed", processes=(), parts=("valkey",), setup=())
    stack.close()
    with (
        subprocess.Popen(["sleep", "600"], start_new_session=True) as ours,
        subprocess.Popen(["sleep", "600"], start_new_session=True) as foreign,
    ):
        for name, pid, ticks in (
            ("left", ours.pid, start_ticks(ours.pid)),
            ("reused", foreign.pid, 1),
        ):
            record = f'{{"pid": {pid}, "started_ticks": {ticks}, "stop_signal": 15}}'
            (stack.instance.pids / f"{name}.json").write_text(record)
        (stack.instance.pids / "torn.json").write_text('{"pid": 1')
        said: list[str] = []
        # An ended child of ours stays a zombie until it is waited for, as nobody's would not.
        with Stack("crashed", processes=(), parts=("valkey",), setup=(), say=said.append) as again:
            assert said == [f"ended left, process {ours.pid} of an earlier run"]
            assert [path.stem for path in again.instance.pids.iterdir()] == ["valkey"]
        assert ours.wait() == -15
        assert foreign.poll() is None
        foreign.kill()


def test_second_supervisor_is_refused_while_the_first_runs(new_stack: StackFactory) -> None:
    stack = new_stack("once", processes=(), parts=("valkey",), setup=())
    with (
        pytest.raises(StackError, match="already run by process"),
        Stack("once", processes=(), parts=("valkey",), setup=()),
    ):
        pass
    with redis.Redis.from_url(stack.urls["REDIS_URL"]) as client:
        assert client.ping()


def test_dead_part_is_started_again_ever_later(new_stack: StackFactory) -> None:
    said: list[str] = []
    stack = new_stack(processes=(), parts=("valkey",), setup=(), say=said.append)
    for delay in ("0.5", "1"):
        first = stack.process("valkey").pid
        assert stack.kill("valkey") == -SIGKILL
        wait_until(lambda: _tended(stack, "valkey"))
        stack.wait_ready()
        second = stack.process("valkey").pid
        assert first != second
        died, revived = said[-2:]
        assert died.startswith("valkey died of signal 9 ")
        assert died.endswith(f"starting it again in {delay} s")
        assert revived == f"valkey runs again as process {second}"
    log = (stack.instance.logs / "supervisor.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in log] == said


def _tended(stack: Stack, name: str) -> bool:
    stack.tend()
    return stack.process(name).returncode is None


def test_two_instances_stand_side_by_side_on_one_chain(new_stack: StackFactory) -> None:
    here = new_stack("here", processes=(), parts=PARTS, setup=())
    there = new_stack(
        "there",
        processes=(),
        parts=PARTS,
        setup=(),
        urls={"CHAIN_URL": here.urls["CHAIN_URL"]},
    )
    assert there.names == ["postgres", "valkey"]
    assert there.urls["CHAIN_URL"] == here.urls["CHAIN_URL"]
    assert there.urls["DATABASE_URL"] != here.urls["DATABASE_URL"]
    assert here.instance.identity != there.instance.identity
    _parts_answer(here)
    _parts_answer(there)
    for stack in (here, there):
        address = lane_address(stack.instance.lane_key)
        assert int(chain_call(here.urls["CHAIN_URL"], "eth_getBalance", address, "latest"), 16) > 0


def test_nothing_embedded_starts_when_parts_are_outside(
    new_stack: StackFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_stack("outside", processes=(), parts=PARTS, setup=())
    for name, url in first.urls.items():
        monkeypatch.setenv(name, url)
    second = new_stack("inside", processes=(), parts=PARTS, setup=(), urls=outside_urls())
    assert second.names == []
    assert second.urls == first.urls
    assert second.env["DATABASE_URL"] == first.urls["DATABASE_URL"]


@pytest.mark.parametrize(
    ("name", "url", "shown"),
    [
        ("DATABASE_URL", "postgres://trader:hush@127.0.0.1:9/nexus", "trader:***@127.0.0.1:9"),
        ("DATABASE_URL", "not a url", "not a url"),
        ("REDIS_URL", "redis://127.0.0.1:9/0", "redis://127.0.0.1:9/0"),
        ("REDIS_URL", "127.0.0.1:9", "127.0.0.1:9"),
        ("CHAIN_URL", "http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("CHAIN_URL", "127.0.0.1:9", "127.0.0.1:9"),
    ],
)
def test_outside_part_is_named_when_it_does_not_answer(name: str, url: str, shown: str) -> None:
    with pytest.raises(StackError, match=f"{name} is .*which does not answer") as refused:
        outside_probe({name: url})
    assert shown in str(refused.value)
    assert "hush" not in str(refused.value)


def test_children_are_ended_when_their_leader_died_alone(tmp_path: Path) -> None:
    script = "sleep 600 & echo $!; kill -9 $$"
    with subprocess.Popen(
        ["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        child = int(leader.stdout.readline())
        ticks = start_ticks(leader.pid)
    pid_file = tmp_path / "web.json"
    record = {"pid": leader.pid, "started_ticks": ticks or 1, "stop_signal": int(Signals.SIGTERM)}
    pid_file.write_text(json.dumps(record))
    assert start_ticks(child) is not None
    assert leftovers_end(tmp_path) == []
    wait_until(lambda: start_ticks(child) is None)
    assert not pid_file.exists()

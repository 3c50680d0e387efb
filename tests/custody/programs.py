"""Steps of the bodies in processes of their own, which are killed after each, or in its middle.

A nursery has Django loaded and forks a process for every step, since starting Python anew takes
longer than most steps. It opens no connection itself.
"""

import json
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from signal import SIGTERM
from typing import Any

from exchange.stack import Stack
from exchange.stack.instance import REPOSITORY

NURSERY = """
import json, os, signal, sys, traceback
import django
django.setup()
from django.core.management import call_command
from compliance import services as compliance
from custody import services as custody, signer
from custody.catalogue import ASSETS
from matching.protocol import faults

def answer(value):
    print(json.dumps(value), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

def child(job, output):
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(job["env"])
    faults._name, _, count = job["point"].partition(":")
    faults._remaining = int(count or 1)
    try:
        exec(job["code"], dict(globals()))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(1)

for line in sys.stdin:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(json.loads(line), writing)
    os.close(writing)
    with os.fdopen(reading) as file:
        output = file.read()
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output]), flush=True)
"""
CARRY = """
for body in (compliance, custody):
    for intent in body.intents_executable(100):
        body.intent_submitted(intent.id)
        body.intent_confirmed(intent.id)
answer(1)
"""
DEPLOYED = """
places = [f"0x{number:040x}" for number in range(1, 40)]
compliance.chain_addresses_set(
    authority=places[0], targets={"identity_registry": places[1]}, chain_id=1, clearing_id=7
)
custody.chain_addresses_set(
    authority=places[2], account_registry=places[3], chain_id=1, clearing_id=7,
    suspense=places[4], guarantee=places[5],
    tokens={terms.id: places[10 + terms.id] for terms in ASSETS},
)
answer(1)
"""


class Nursery(AbstractContextManager["Nursery"]):
    """Runs code against a stack's instance, each time in a fresh process that dies by SIGKILL."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=REPOSITORY,
            env=stack.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=30)

    def run(self, code: str, **env: str) -> Any:
        """Return what the code passed to `answer`, which kills it: only what it committed stays."""
        status, output = self._step(code, "", env)
        assert status == -9, f"ended with {status}:\n{output}"
        return json.loads(output.splitlines()[-1])

    def run_killed(self, code: str, point: str) -> None:
        """Run code that must die at a crash point before it ends."""
        status, output = self._step(code + "\nanswer('survived')", point, {})
        assert (status, output) == (-9, ""), f"{point} was not met: {status}\n{output}"

    def manage(self, *arguments: str, **env: str) -> Any:
        """Run a management command to its end and return the JSON it printed, or None."""
        code = (
            "import io\nout = io.StringIO()\n"
            f"call_command(*{arguments!r}, stdout=out)\nanswer(out.getvalue())"
        )
        printed = self.run(code, **env)
        return json.loads(printed.splitlines()[-1]) if printed else None

    def _step(self, code: str, point: str, env: dict[str, str]) -> tuple[int, str]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"code": code, "point": point, "env": env}) + "\n")
        self._process.stdin.flush()
        status, output = json.loads(self._process.stdout.readline())
        return status, output


def start(stack: Stack, command: str, **env: str) -> "subprocess.Popen[str]":
    """Start a management command that runs until it is told to end."""
    return subprocess.Popen(
        [sys.executable, "manage.py", command],
        cwd=REPOSITORY,
        env={**stack.env, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def listening(process: "subprocess.Popen[str]") -> bool:
    """Tell whether the process has taken over SIGTERM, as /proc shows its caught signals."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line[:7] == "SigCgt:").split()[1], 16)
    return bool(caught >> (SIGTERM - 1) & 1)

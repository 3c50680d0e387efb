"""`make demo` as a newcomer runs it: a fresh instance, figures on disk, nothing left running."""

import json
import os
import subprocess
import sys
from pathlib import Path

from exchange.demo.__main__ import OUT
from exchange.stack import Instance
from exchange.stack.instance import REPOSITORY

FIGURES = {
    "orders",
    "refusals",
    "fills",
    "settled_fills",
    "batches",
    "gas_per_fill",
    "ack_ms_p50",
    "ack_ms_p99",
    "mismatches",
}


def _running_with(home: Path) -> list[str]:
    """Return the command lines of processes that name this instances folder anywhere."""
    folders = [str(home), str(Instance.named("demo", home).runtime)]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace")
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            folder = os.readlink(process / "cwd")
        except OSError:
            continue
        if any(one in text for one in folders for text in (environment, command, folder)):
            found.append(command)
    return found


def test_demo_settles_every_fill_and_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "instances"
    OUT.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "exchange.demo"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NEXUS_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(OUT.read_text())
    assert set(figures) == FIGURES
    assert figures["mismatches"] == 0
    assert figures["orders"] > 200 and figures["refusals"] >= 12
    assert figures["fills"] == figures["settled_fills"] > 50
    assert figures["batches"] >= 1 and 0 < figures["gas_per_fill"] < 200_000
    assert 0 < figures["ack_ms_p50"] <= figures["ack_ms_p99"]
    assert "all books agree" in done.stdout
    assert _running_with(home) == []

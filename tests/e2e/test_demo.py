"""`make demo` as a newcomer runs it: a fresh instance, figures on disk, nothing left running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def _played(home: Path, *arguments: str) -> dict[str, float]:
    """Run the demo in a home of its own, and return its figures."""
    OUT.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "exchange.demo", *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "NEXUS_HOME": str(home / "instances")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all books agree" in done.stdout
    assert "Configured, not published" in done.stdout
    figures: dict[str, float] = json.loads(OUT.read_text())
    assert set(figures) == FIGURES
    assert figures["mismatches"] == 0
    assert figures["fills"] == figures["settled_fills"]
    assert figures["batches"] >= 1 and 0 < figures["gas_per_fill"] < 200_000
    assert 0 < figures["ack_ms_p50"] <= figures["ack_ms_p99"]
    return figures


def test_demo_settles_every_fill_and_leaves_nothing_running(tmp_path: Path) -> None:
    figures = _played(tmp_path, "--months", "1")
    assert figures["orders"] > 200 and figures["refusals"] >= 13
    assert figures["fills"] > 80
    assert _running_with(tmp_path / "instances") == []


@pytest.mark.slow
def test_demo_walks_through_two_years_of_real_prices(tmp_path: Path) -> None:
    figures = _played(tmp_path)
    assert figures["orders"] >= 5_000 and figures["fills"] >= 1_500

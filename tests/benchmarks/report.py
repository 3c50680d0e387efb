"""The table of a run: each figure beside its target and its best peer, and the machine."""

import os
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.runs import Figures

# What a run must reach: at least, or (a negative sign) at most.
TARGETS = {
    "core_commands_per_s": 300_000,
    "socket_acks_per_s": 50_000,
    "rest_orders_per_s": 1_500,
    "rest_p99_ms": -50,
    "projected_fills_per_s": 10_000,
    "settled_fills_per_s": 1_500,
    "gas_per_fill": -5_500,
    "restart_s": -30,
}
# How many times the best peer a figure must be.
RATIOS = {"core_commands_per_s": 1.2}
# The same done another way, measured in the same run.
PEER_OF = {
    "socket_acks_per_s": ("with a standby", "socket_standby_acks_per_s"),
    "settled_fills_per_s": ("one a fill", "single_fills_per_s"),
    "gas_per_fill": ("one a fill", "single_gas_per_fill"),
}


def machine() -> dict[str, str | int]:
    """Return what the figures were measured on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": memory >> 20,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def table_show(console: Console, figures: Figures) -> None:
    """Print each figure that has a target, then the rest."""
    table = Table("figure", "ours", "target", "peer", "ratio", title="Speed")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, target in TARGETS.items():
        if name not in figures:
            continue
        ours, peer = figures[name], _peer(name, figures)
        reached = ours >= target if target > 0 else ours <= -target
        least = RATIOS.get(name)
        ratio = "" if peer is None else f"{ours / peer[1]:.2f}"
        if peer is not None and least is not None:
            reached = reached and ours >= least * peer[1]
            ratio += f" (≥ {least})"
        table.add_row(
            name,
            f"[{'green' if reached else 'red'}]{ours:,.6g}",
            f"{'≥' if target > 0 else '≤'} {abs(target):,}",
            "" if peer is None else f"{peer[0]} {peer[1]:,.6g}",
            ratio,
        )
    console.print(table)
    for name, value in figures.items():
        if name not in TARGETS:
            console.print(f"{name}: {value}", soft_wrap=True)


def _peer(name: str, figures: Figures) -> tuple[str, float] | None:
    """Return the best other way of doing the same, and its figure."""
    if name == "core_commands_per_s" and figures.get("peers"):
        best = max(figures["peers"].items(), key=lambda each: each[1]["commands_per_s"])
        return best[0], best[1]["commands_per_s"]
    label, other = PEER_OF.get(name, ("", ""))
    return (label, figures[other]) if other in figures else None

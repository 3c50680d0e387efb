"""`python -m tests.benchmarks [NAME ...]`: measure, print a table, write build/bench/spine.json.

Each benchmark runs in a process of its own. One that fails ends the run with status 1 after the
others; its figures are then missing from the file, and nothing stands in for them.
"""

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console

from exchange.stack.instance import REPOSITORY
from tests.benchmarks import report
from tests.benchmarks.runs import BENCHMARKS, Figures, run

OUT = REPOSITORY / "build" / "bench" / "spine.json"

console = Console(highlight=False)


def main() -> int:
    """Run the named benchmarks, or all, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    figures: Figures = {"machine": report.machine()}
    failed = []
    for name in names:
        started = time.monotonic()
        console.print(f"[bold]{name}[/]: {BENCHMARKS[name]}")
        # A process of its own, whose main thread may start a stack.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            future = pool.submit(run, name)
            error = future.exception()
        took = f"[dim]{time.monotonic() - started:.0f} s[/]"
        if error is None:
            figures |= future.result()
            console.print(f"[green]✓[/] {name} {took}")
        else:
            failed.append(name)
            console.print(f"[red]✗[/] {name} {took}: {type(error).__name__}: {error}")
    report.table_show(console, figures)
    _keep(figures)
    console.print(f"figures in {OUT}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _keep(figures: Figures) -> None:
    """Write the figures; those of benchmarks that were not run this time stay."""
    before = json.loads(OUT.read_text()) if OUT.exists() else {}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(before | figures, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())

"""What `python -m matching` shows to a person: a replay's progress and its result.

What must not live here: how any of it is found out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from matching.runtime.replay import Replayed, journal_bytes

# Of lines that no terminal bounds: wide enough that no table wraps.
WIDTH = 160


@contextmanager
def progress_shown(journal_dir: Path) -> Iterator[Callable[[int], None]]:
    """Show on stderr, when it is a terminal, how much of a journal lies behind."""
    console = Console(stderr=True)
    columns = (TextColumn("journal"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=sum(journal_bytes(journal_dir).values()))
        yield lambda place_bytes: bar.update(task, completed=place_bytes)


def replay_show(replayed: Replayed) -> None:
    """Print what a journal comes to."""
    console = _console()
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_row("instance", replayed.instance)
    facts.add_row("sequence", f"{replayed.sequence:,}")
    if replayed.from_sequence:
        facts.add_row("from the snapshot at", f"{replayed.from_sequence:,}")
    for name in ("segments", "batches", "accounts", "orders", "fills"):
        named = "open orders" if name == "orders" else name
        facts.add_row(named, f"{getattr(replayed, name):,}")
    facts.add_row("state hash", replayed.state_hash)
    console.print(facts)
    for name in ("commands", "events", "refusals"):
        counts: dict[str, int] = getattr(replayed, name)
        table = Table(name, "", box=SIMPLE_HEAD, pad_edge=False)
        table.columns[1].justify = "right"
        for what, count in counts.items():
            table.add_row(what, f"{count:,}")
        table.add_row("all", f"{sum(counts.values()):,}")
        console.print(table)


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console

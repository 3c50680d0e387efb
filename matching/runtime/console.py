"""What `python -m matching` shows to a person: progress, what a journal holds, an order's life.

What must not live here: how any of it is found out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from matching.runtime.explain import Life
from matching.runtime.replay import Replayed, journal_bytes

# Of lines that no terminal bounds: wide enough that no table wraps.
WIDTH = 200
# The nearest orders ahead; more than a screen says little to a person.
AHEAD_SHOWN = 20
TEXTS = ("what", "standing", "became")


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
    if replayed.torn_bytes:
        what = "bytes behind the last whole batch are none: a write broken off, or damage, in"
        facts.add_row("torn", f"{replayed.torn_bytes:,} {what} {replayed.torn_at}")
    console.print(facts)
    for name in ("commands", "events", "refusals"):
        counts: dict[str, int] = getattr(replayed, name)
        table = Table(name, "", box=SIMPLE_HEAD, pad_edge=False)
        table.columns[1].justify = "right"
        for what, count in counts.items():
            table.add_row(what, f"{count:,}")
        table.add_row("all", f"{sum(counts.values()):,}")
        console.print(table)


def life_show(life: Life) -> None:
    """Print the life of an order."""
    console = _console()
    name = f"Order {life.order_id}" if life.order_id else "Refused order"
    console.print(f'{name} of account {life.account}, client order id "{life.client_order_id}"')
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column()
    facts.add_column(overflow="fold")
    skipped = ("account", "client_order_id")
    asked = {key: value for key, value in life.asked.items() if key not in skipped and value}
    facts.add_row("asked", ", ".join(f"{key} {value}" for key, value in asked.items()))
    bid, ask = life.best_bid_ticks or "none", life.best_ask_ticks or "none"
    facts.add_row("book then", f"best bid {bid}, best ask {ask}, phase {life.phase or 'none'}")
    left = f", {life.remaining_lots} lots remain" if life.state != "refused" else ""
    facts.add_row("state", f"{life.state}{left}")
    if life.standing:
        facts.add_row("now", life.standing)
    console.print(facts)
    _rows(console, "life", life.moments)
    _rows(console, "fills", life.fills)
    for queue in life.queues:
        title = f"ahead of it since command {queue.sequence}"
        _rows(console, title, queue.ahead[-AHEAD_SHOWN:])
        if len(queue.ahead) > AHEAD_SHOWN:
            console.print(f" and {len(queue.ahead) - AHEAD_SHOWN:,} before these (--json)\n")


def _rows(console: Console, title: str, records: Sequence[msgspec.Struct]) -> None:
    """Print records of one kind as a table."""
    if not records:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for field in msgspec.structs.fields(records[0]):
        numbers = field.type is int
        table.add_column(
            field.name.replace("_", " "),
            justify="right" if numbers else "left",
            no_wrap=field.name not in TEXTS,
            overflow="fold",
        )
    for record in records:
        table.add_row(*map(str, msgspec.structs.astuple(record)))
    console.print(table)


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console

"""`python -m exchange.demo`: play a market in a fresh instance and show that all books agree.

The exit status is 0 only when every fill is settled and no two books differ.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

import django
from rich.console import Console

from exchange.stack import Instance, Stack, StackError
from exchange.stack.environment import outside_urls
from exchange.stack.instance import REPOSITORY

NAME = "demo"
OUT = REPOSITORY / "build" / "demo.json"

console = Console(highlight=False)


def main() -> int:
    """Run the demo and return the exit status."""
    started = time.monotonic()
    # Takes a second, which one of two cores has to spare while the parts start.
    Thread(target=import_module, args=["settlement.chain.client"], daemon=True).start()
    instance = Instance.named(NAME)
    try:
        with instance.locked():
            instance.erase()
        with Stack(NAME, urls=outside_urls(), progress=_progress, say=console.print) as stack:
            os.environ.update(stack.env)
            django.setup()
            from exchange.demo.play import play

            agreed = play(stack.web_url, OUT, console, _progress)
    except StackError as error:
        console.print(f"[bold red]{error}", soft_wrap=True)
        return 1
    verdict = "[green]all books agree" if agreed else "[bold red]the books differ"
    console.print(f"{verdict}[/]; {time.monotonic() - started:.0f} s, figures in {OUT}")
    return 0 if agreed else 1


@contextmanager
def _progress(text: str) -> Iterator[None]:
    started = time.monotonic()
    with console.status(text):
        yield
    console.print(f"[green]✓[/] {text} [dim]{time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    sys.exit(main())

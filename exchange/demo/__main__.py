"""`python -m exchange.demo`: play a market in a fresh instance and show that all books agree.

The exit status is 0 only when every fill is settled and no two books differ.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

import django
from rich.console import Console

import exchange.lean  # noqa: F401  # before web3
from compliance.errors import BodyRefused
from exchange.demo.session import Unexpected
from exchange.demo.waiting import TookTooLong
from exchange.stack import Instance, Stack, StackError, instance_erase
from exchange.stack.environment import outside_urls
from exchange.stack.instance import REPOSITORY
from matching.client import EngineUnavailable

NAME = "demo"
MONTHS = 24
OUT = REPOSITORY / "build" / "demo.json"

console = Console(highlight=False)


def main() -> int:
    """Run the demo and return the exit status; what goes wrong is one red line."""
    parser = argparse.ArgumentParser(prog="python -m exchange.demo")
    parser.add_argument(
        "--months",
        type=int,
        choices=range(1, MONTHS + 1),
        default=MONTHS,
        metavar="1-24",
        help="trade through so many of the last months (24)",
    )
    try:
        return _run(parser.parse_args().months)
    except KeyboardInterrupt:
        console.print("broken off; nothing is left running")
        return 130
    except (StackError, TookTooLong, Unexpected, BodyRefused, EngineUnavailable) as error:
        console.print(f"[bold red]{error}", soft_wrap=True)
        console.print(f"the logs are in {Instance.named(NAME).logs}", soft_wrap=True)
        return 1


def _run(months: int) -> int:
    started = time.monotonic()
    # Takes a second, which one of two cores has to spare while the parts start.
    Thread(target=import_module, args=["settlement.chain.client"], daemon=True).start()
    instance_erase(Instance.named(NAME))
    with Stack(NAME, urls=outside_urls(), progress=_progress, say=console.print) as stack:
        os.environ.update(stack.env)
        django.setup()
        from exchange.demo.play import play

        agreed = play(stack.web_url, OUT, console, _progress, months)
        if agreed:  # what differs is left for whoever looks into it
            stack.erase()
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

"""The command line of the embedded stack: run, show, command, stop and erase named instances."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from exchange.stack.environment import outside_urls
from exchange.stack.errors import StackError
from exchange.stack.instance import REPOSITORY, Instance, instances_root
from exchange.stack.process import start_ticks
from exchange.stack.processes import manage
from exchange.stack.readiness import health_read
from exchange.stack.stack import Stack, instance_erase

DEFAULT_NAME = "main"
DEFAULT_PORT = 8000
TEND_INTERVAL_S = 0.25
STOP_TIMEOUT_S = 120

console = Console(highlight=False)


def main() -> int:
    """Carry out one command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m exchange.stack", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for act, help_text in (
        (up, "run an instance until Ctrl-C"),
        (down, "stop an instance that runs in another terminal"),
        (status, "list what of an instance runs"),
        (command, "run a management command on a running instance"),
        (reset, "erase database, journal, stream, chain state and keys of an instance"),
    ):
        added = commands.add_parser(act.__name__, help=help_text)
        added.set_defaults(act=act)
        if act is reset:
            added.add_argument("name", nargs="?")
            added.add_argument("--all", action="store_true", help="every instance")
        else:
            added.add_argument("--name", default=DEFAULT_NAME, help="the instance")
        if act is up:
            added.add_argument("--port", type=int, default=DEFAULT_PORT, help="of REST, if free")
            added.add_argument("--standby", action="store_true", help="run a second engine")
        if act is command:
            added.add_argument("arguments", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(chosen.act(chosen))
    except StackError as error:
        console.print(f"[bold red]{error}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("broken off; nothing is left running")
        return 130


def up(chosen: argparse.Namespace) -> int:
    """Run the instance, restarting what dies, until SIGINT or SIGTERM."""
    with Stack(
        chosen.name,
        urls=outside_urls(),
        web_port=chosen.port,
        standby=chosen.standby,
        say=lambda message: console.print(f"[yellow]{message}", soft_wrap=True),
        progress=_progress,
    ) as stack:
        _addresses_show(stack)
        try:
            while True:
                time.sleep(TEND_INTERVAL_S)
                stack.tend()
        except KeyboardInterrupt:
            pass
    console.print("stopped; nothing is left running")
    return 0


def down(chosen: argparse.Namespace) -> int:
    """Ask the instance's supervisor to stop, and wait until it has."""
    instance = Instance.named(chosen.name)
    supervisor = instance.supervisor_pid()
    if supervisor is None:
        console.print(f"{chosen.name} is not running")
        return 0
    os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    with _progress(f"waiting for process {supervisor} to stop {chosen.name}"):
        while instance.supervisor_pid() is not None:
            if time.monotonic() > deadline:
                raise StackError(f"process {supervisor} has not stopped in {STOP_TIMEOUT_S} s")
            time.sleep(0.1)
    return 0


def status(chosen: argparse.Namespace) -> int:
    """List the processes of an instance and what /health says of them.

    The exit status is 1 when it is not running.
    """
    instance = Instance.named(chosen.name)
    supervisor = instance.supervisor_pid()
    health = _health(instance) if supervisor else None
    said = health["processes"] if health else {}
    title = f"instance {chosen.name} in {instance.home}"
    table = Table("process", "pid", "state", "health", title=title)
    runs = "runs" if supervisor else "does not run"
    table.add_row("supervisor", str(supervisor or "-"), runs, "")
    for pid_file in sorted(instance.pids.glob("*.json")):
        record = json.loads(pid_file.read_text())
        alive = start_ticks(record["pid"]) == record["started_ticks"]
        state = said.get(pid_file.stem, "")
        table.add_row(pid_file.stem, str(record["pid"]), "runs" if alive else "ended", state)
    console.print(table)
    if supervisor:
        _health_show(health)
    return 0 if supervisor else 1


def command(chosen: argparse.Namespace) -> int:
    """Become the management command, in the environment of a running instance."""
    instance = Instance.named(chosen.name)
    if instance.supervisor_pid() is None:
        raise StackError(f"{chosen.name} is not running: start it with `make up`")
    if not chosen.arguments:
        raise StackError("name a management command, for example `command check`")
    os.chdir(REPOSITORY)
    argv = manage(*chosen.arguments)
    os.execve(argv[0], argv, json.loads(instance.environment_file.read_text()))


def reset(chosen: argparse.Namespace) -> int:
    """Erase an instance that does not run, or all of them."""
    if (chosen.name is None) is not chosen.all:
        raise StackError("name the instance to erase, or say --all")
    if chosen.all and not instances_root().exists():
        return 0
    names = [home.name for home in instances_root().iterdir()] if chosen.all else [chosen.name]
    for instance in map(Instance.named, names):
        with _progress(f"erasing {instance.name}"):
            instance_erase(instance)
        console.print(f"{instance.name} is erased; its next start is a new instance")
    for name, url in outside_urls().items():
        console.print(f"[yellow]{name} runs elsewhere and keeps what it has: give a new instance")
        console.print(f"[yellow]a new one, for parts of another instance are refused: {url}")
    return 0


def _health(instance: Instance) -> Any:
    try:
        environment = json.loads(instance.environment_file.read_text())
    except FileNotFoundError:  # the supervisor has only begun
        return None
    return health_read(environment["NEXUS_WEB_URL"])


def _health_show(health: Any) -> None:
    """Print what the door reports: lags, dead letters, and each cause why it is not well."""
    if health is None:
        console.print("[yellow]the door does not answer: nothing is known of the exchange's health")
        return
    for name, follower in health["followers"].items():
        console.print(f"{name:>12} is {follower['lag']} commands behind")
    if health["chain"]:
        age_s = health["chain"]["answered_s_ago"]
        console.print(f"{'chain':>12} answered {age_s:.0f} s ago: block {health['chain']['block']}")
    for kind, count in health["dead_letters"].items():
        if count:
            console.print(f"[yellow]{count} dead letters of {kind}: dead_letters_list shows them")
    for cause in health["causes"]:
        console.print(f"[bold red]{cause['part']}: {cause['detail']}", soft_wrap=True)
    console.print("[green]healthy" if health["status"] == "ok" else "[bold red]not healthy")


@contextmanager
def _progress(text: str) -> Iterator[None]:
    started = time.monotonic()
    with console.status(text):
        yield
    console.print(f"[green]✓[/] {text} [dim]{time.monotonic() - started:.1f} s")


def _addresses_show(stack: Stack) -> None:
    with _progress("demo member's key"):
        member = json.loads(stack.manage("demo_member").stdout)
    shown = {
        "REST": stack.web_url,
        "API page": f"{stack.web_url}/v1/docs",
        **stack.urls,
        "files": str(stack.instance.home),
        **{f"demo member's {name}": str(value) for name, value in member.items()},
    }
    console.print(f"[bold]instance {stack.instance.name} is up")
    for name, value in shown.items():  # no table: a narrow one would cut a secret shown once
        console.print(f"[dim]{name:>24}[/]  {value}", soft_wrap=True)
    console.print("Ctrl-C stops it.")


if __name__ == "__main__":
    sys.exit(main())

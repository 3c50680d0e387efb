"""The table of the project's own processes, and how each is told ready.

A new process is one row here; `needs` says which parts must run before it, `trusted_with` which
secrets its environment carries, and nothing else does.
"""

import sys
from dataclasses import dataclass

from exchange.stack.instance import BODIES

PARTS = ("postgres", "valkey", "chain")
WEB_ADDRESS = "{web_address}"  # stands in the table for the host and port chosen at start


def manage(command: str, *arguments: str) -> tuple[str, ...]:
    """Return the argument vector of a management command."""
    return (sys.executable, "manage.py", command, *arguments)


def standing(command: str) -> tuple[str, ...]:
    """Return the argument vector of a management command that runs until it is stopped.

    Django's checks load every view, half of such a process' start; `make check` makes them once.
    """
    return manage(command, "--skip-checks")


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the argument vector of a module; scripts' first lines break under long paths."""
    return (sys.executable, "-m", name, *arguments)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One process of the project; `forked` ones are forked from one that has loaded for them.

    Those in the `background` wait for the processor behind the few that a trader waits for. `node`
    names an engine that is not the only one.
    """

    name: str
    argv: tuple[str, ...]
    level: int
    needs: tuple[str, ...]
    trusted_with: tuple[str, ...] = ()
    forked: bool = True
    background: bool = True
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One management command of an instance's set-up: run at every start, before any process."""

    name: str
    needs: tuple[str, ...]


def _signer(body: str) -> Row:
    return Row(
        name=f"{body}-signer",
        argv=standing(f"{body}_signer"),
        level=2,
        needs=PARTS,
        trusted_with=(body,),
    )


def _worker(queue: str, *, concurrency: int) -> tuple[str, ...]:
    """Return the arguments of a Celery worker that takes from one queue (settings.tasks)."""
    return module(
        *("celery", "-A", "exchange.celery", "worker", f"--queues={queue}"),
        *(f"--hostname={queue}@%h", f"--concurrency={concurrency}", "--loglevel=INFO"),
        *("--without-gossip", "--without-mingle"),
    )


STEPS: tuple[Step, ...] = (
    Step(name="migrate", needs=("postgres",)),
    Step(name="signer_init", needs=PARTS),
    Step(name="assets_register", needs=("postgres",)),
    Step(name="limits_init", needs=PARTS),
    Step(name="chain_deploy", needs=PARTS),
)

WEB_OPTIONS = (
    f"--bind={WEB_ADDRESS}",
    "--workers=1",
    "--worker-class=asgi",
    "--asgi-lifespan=off",
    "--preload",
    "--keep-alive=30",
    "--no-control-socket",
)
ROWS: tuple[Row, ...] = (
    Row(
        name="engine",
        argv=module("matching", "run"),
        level=1,
        needs=("valkey",),
        forked=False,
        background=False,
    ),
    Row(
        name="snapshots",
        argv=module("matching", "snapshots"),
        level=2,
        needs=("valkey",),
        forked=False,
    ),
    Row(
        name="projector",
        argv=standing("trading_project"),
        level=2,
        needs=("postgres", "valkey"),
    ),
    Row(
        name="marketdata",
        argv=standing("marketdata_follow"),
        level=2,
        needs=("postgres", "valkey"),
    ),
    Row(name="ledger", argv=standing("ledger_follow"), level=2, needs=("postgres", "valkey")),
    Row(name="clearing", argv=standing("clearing_run"), level=2, needs=PARTS),
    Row(name="venue-clearing", argv=standing("batches_propose"), level=2, needs=PARTS),
    *(_signer(body) for body in BODIES),
    Row(
        name="worker",
        argv=_worker("celery", concurrency=2),
        level=2,
        needs=PARTS,
        trusted_with=("secret_key", "lane_key"),
    ),
    Row(
        name="venue-worker",
        argv=_worker("venue", concurrency=1),
        level=2,
        needs=("postgres", "valkey"),
    ),
    Row(
        name="beat",
        # The plain scheduler keeps no file: what sweeps every few seconds has nothing to remember.
        argv=module("celery", "-A", "exchange.beat", "beat", "-S", "celery.beat.Scheduler"),
        level=2,
        needs=("postgres", "valkey"),
    ),
    Row(
        name="web",
        argv=module("gunicorn", "exchange.asgi:application", *WEB_OPTIONS),
        level=2,
        needs=("postgres", "valkey"),
        trusted_with=("secret_key",),
        forked=False,
        background=False,
    ),
)
# The second engine, for whoever asks for it: two cores are few for two of them. Either may lead.
STANDBY = Row(
    name="standby",
    argv=module("matching", "run"),
    level=1,
    needs=("valkey",),
    forked=False,
    background=False,
    node="standby",
)

"""Turn parts and rows into programs: addresses, environment and readiness filled in."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from exchange.stack.chain import chain_program
from exchange.stack.environment import base_environment, trust_environment
from exchange.stack.errors import StackError
from exchange.stack.folders import private_folder
from exchange.stack.instance import REPOSITORY, Instance
from exchange.stack.postgres import postgres_program
from exchange.stack.process import Program
from exchange.stack.processes import ROWS, STANDBY, STEPS, WEB_ADDRESS, Row, Step
from exchange.stack.readiness import engine_answers, web_answers
from exchange.stack.valkey import valkey_program


def rows_named(names: Iterable[str] | None, *, standby: bool = False) -> tuple[Row, ...]:
    """Return the table's rows of these names, in the table's order. Raises StackError.

    With `standby` the second engine is one of them.
    """
    if standby:
        return (*rows_named(names), STANDBY)
    if names is None:
        return ROWS
    wanted = set(names)
    if unknown := wanted - {row.name for row in ROWS}:
        raise StackError(
            f"no process is called {', '.join(sorted(unknown))}; "
            f"there are {', '.join(row.name for row in ROWS)}"
        )
    return tuple(row for row in ROWS if row.name in wanted)


def steps_named(names: Iterable[str] | None, parts: Iterable[str]) -> tuple[Step, ...]:
    """Return the set-up steps of these names, by default those whose parts are all in use."""
    if names is None:
        having = set(parts)
        return tuple(step for step in STEPS if having.issuperset(step.needs))
    wanted = set(names)
    if unknown := wanted - {step.name for step in STEPS}:
        raise StackError(f"no set-up step is called {', '.join(sorted(unknown))}")
    return tuple(step for step in STEPS if step.name in wanted)


def part_programs(
    instance: Instance, parts: Sequence[str], *, chain_port: int, durable: bool
) -> list[Program]:
    """Describe the embedded parts asked for."""
    made = {
        "postgres": lambda: postgres_program(instance, durable=durable),
        "valkey": lambda: valkey_program(instance, durable=durable),
        "chain": lambda: chain_program(instance, chain_port),
    }
    return [made[part]() for part in parts]


def row_program(
    row: Row,
    instance: Instance,
    urls: Mapping[str, str],
    web_port: int,
    rows: Sequence[Row] = ROWS,
) -> Program:
    """Describe one process of the project; `rows` are all of this run, which /health expects."""
    address = f"127.0.0.1:{web_port}"
    ready = {
        "engine": lambda: engine_answers(instance.engine_socket),
        "web": lambda: web_answers(f"http://{address}"),
    }
    described = Program(
        name=row.name,
        argv=[argument.replace(WEB_ADDRESS, address) for argument in row.argv],
        env={
            **base_environment(instance, urls),
            **trust_environment(instance, row.trusted_with),
            "NEXUS_PROCESS": row.name,
            "NEXUS_PROCESSES": ",".join(each.name for each in rows),
            **({"NEXUS_NODE": row.node} if row.node else {}),
            **({"PROMETHEUS_MULTIPROC_DIR": str(instance.metrics)} if row.name == "web" else {}),
        },
        level=row.level,
        cwd=REPOSITORY,
        forked=row.forked,
        background=row.background,
    )
    if row.name == "web":
        described = replace(described, prepare=lambda: _folder_renew(instance.metrics))
    return replace(described, ready=ready[row.name]) if row.name in ready else described


def _folder_renew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder)

"""Every Celery task that somebody wakes, or beat sweeps by, exists under that name."""

import ast
from collections.abc import Iterator
from pathlib import Path

from exchange.celery import app

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("exchange", "settlement", "custody", "compliance")
WAKERS = {"wake", "send_task"}


def _woken() -> Iterator[tuple[Path, str]]:
    """Yield the file and task name of every call of a waker with a literal name."""
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args and _name(node.func) in WAKERS:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        yield path, first.value


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def test_task_exists_when_woken() -> None:
    app.loader.import_default_modules()
    woken = {name: path for path, name in _woken()}
    assert {name: path for name, path in woken.items() if name not in app.tasks} == {}
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled - set(app.tasks) == set()


def test_body_wakes_only_its_own_tasks() -> None:
    foreign = [
        f"{path.relative_to(REPOSITORY)} wakes {name}"
        for path, name in _woken()
        if name.split(".")[0] != path.relative_to(REPOSITORY).parts[0]
    ]
    assert foreign == []

"""Rules of the house that neither the linter nor the type checker knows."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("exchange", "settlement", "custody", "compliance", "matching")
FUNCTION_LINES_MAX = 70
NAMELESS = {"common", "helpers", "manager", "utils"}
SOURCES = [
    path
    for package in (*PACKAGES, "tests")
    for path in sorted((REPOSITORY / package).rglob("*.py"))
    if "migrations" not in path.parts and "node_modules" not in path.parts
]
TREES = {path.relative_to(REPOSITORY): ast.parse(path.read_text()) for path in SOURCES}


def _calls(tree: ast.Module, name: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    ]


def test_function_fits_on_a_screen() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert long == []


def test_module_says_what_lives_there() -> None:
    silent = [
        str(path)
        for path, tree in TREES.items()
        if path.name != "__init__.py" and tree.body and ast.get_docstring(tree) is None
    ]
    assert silent == []


def test_module_has_a_name_of_the_field() -> None:
    assert [str(path) for path in TREES if NAMELESS & {*path.parts, path.stem}] == []


def test_rows_are_locked_in_locks_alone() -> None:
    elsewhere = [
        f"{path}:{line}"
        for path, tree in TREES.items()
        if path.name != "locks.py" and "locks" not in path.parts and path.parts[0] != "tests"
        for line in _calls(tree, "select_for_update")
    ]
    assert elsewhere == []


@pytest.mark.parametrize("package", PACKAGES)
def test_services_import_no_tasks(package: str) -> None:
    importing = [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        if path.parts[0] == package and "services" in (path.stem, *path.parts)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("tasks")
    ]
    assert importing == []


def test_tests_wait_on_conditions() -> None:
    sleeping = [
        f"{path}:{line}"
        for path, tree in TREES.items()
        if path.parts[0] == "tests" and path.name != "waiting.py"
        for line in _calls(tree, "sleep")
    ]
    assert sleeping == []

"""Every direct dependency stands in docs/dependencies.md and is pinned by hash in the locks."""

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

OURS = ("exchange", "settlement", "custody", "compliance", "matching")
REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LISTED = (REPOSITORY / "docs" / "dependencies.md").read_text()


def _names(requirements: list[str]) -> list[str]:
    return [re.split(r"[\[<>=!~;]", requirement)[0] for requirement in requirements]


RUNTIME = _names(PROJECT["project"]["dependencies"])
GROUPS = {key: _names(group) for key, group in PROJECT["dependency-groups"].items()}
GROUPED = [name for group in GROUPS.values() for name in group]
IN_LOCK = {
    "requirements.lock": RUNTIME,
    "requirements-dev.lock": [*RUNTIME, *GROUPS["embedded"], *GROUPS["dev"]],
    "requirements-bench.lock": [*RUNTIME, *GROUPS["bench"]],
}
NODE = list(json.loads((REPOSITORY / "package.json").read_text())["dependencies"])


@pytest.mark.parametrize("name", [*RUNTIME, *GROUPED, *NODE])
def test_dependency_is_explained(name: str) -> None:
    assert f"| `{name}` |" in LISTED


@pytest.mark.parametrize("lock", IN_LOCK)
def test_lock_pins_by_hash_and_names_no_host(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    pinned = set(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==", text, re.MULTILINE))
    assert set(IN_LOCK[lock]) <= pinned
    assert len(re.findall(r"^ {4}--hash=sha256:", text, re.MULTILINE)) >= len(pinned)
    assert "://" not in text


def test_nothing_undeclared_is_imported() -> None:
    providers = packages_distributions()
    declared = {name.lower() for name in [*RUNTIME, *GROUPED]}
    undeclared = {
        f"{path.relative_to(REPOSITORY)}: {module}"
        for package in (*OURS, "tests")
        for path in (REPOSITORY / package).rglob("*.py")
        for module in _imported(path)
        if module not in sys.stdlib_module_names
        and module not in (*OURS, "tests")
        # Benchmarks' peers need not be installed: then the module's own name is looked up.
        and not declared
        & {name.lower().replace("_", "-") for name in providers.get(module, [module])}
    }
    assert undeclared == set()


def _imported(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.split(".")[0])
    return modules

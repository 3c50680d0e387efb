"""Every direct dependency stands in docs/dependencies.md and is pinned by hash in the locks."""

import json
import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LISTED = (REPOSITORY / "docs" / "dependencies.md").read_text()


def _names(requirements: list[str]) -> list[str]:
    return [re.split(r"[\[<>=!~;]", requirement)[0] for requirement in requirements]


RUNTIME = _names(PROJECT["project"]["dependencies"])
GROUPS = [name for group in PROJECT["dependency-groups"].values() for name in _names(group)]
NODE = list(json.loads((REPOSITORY / "package.json").read_text())["dependencies"])


@pytest.mark.parametrize("name", [*RUNTIME, *GROUPS, *NODE])
def test_dependency_is_explained(name: str) -> None:
    assert f"| `{name}` |" in LISTED


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_pins_by_hash_and_names_no_host(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    pinned = set(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==", text, re.MULTILINE))
    assert set(RUNTIME) <= pinned
    assert lock == "requirements.lock" or set(GROUPS) <= pinned
    assert len(re.findall(r"^ {4}--hash=sha256:", text, re.MULTILINE)) >= len(pinned)
    assert "://" not in text

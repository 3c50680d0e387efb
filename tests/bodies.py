"""Fixtures that the tests of compliance and custody share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from compliance import services
from compliance.models import Party
from exchange.stack import Stack
from matching.client import EngineClient, engine
from tests.compliance.desks import Desk, desk_open
from tests.settings import SESSION_INSTANCE

__all__ = ["engine_client", "engine_stack", "grace", "henry", "keys", "party"]


@pytest.fixture
def keys(tmp_path: Path, settings: Settings) -> Path:
    """An empty keys folder of this test's own."""
    settings.KEYS = tmp_path / "keys"
    return tmp_path / "keys"


@pytest.fixture
def grace(db: None, keys: Path) -> Desk:
    """A trusted officer of compliance."""
    return desk_open("grace", "compliance")


@pytest.fixture
def henry(db: None, keys: Path) -> Desk:
    """Another trusted officer of compliance."""
    return desk_open("henry", "compliance")


@pytest.fixture
def party(db: None) -> Party:
    """An applicant."""
    return services.party_apply(
        legal_name="Kim Ji-woo", kind="person", jurisdiction="KR", actor="process:test"
    )


@pytest.fixture(scope="module")
def engine_stack() -> Iterator[Stack]:
    """One real engine for the tests of a module."""
    with Stack(
        f"{SESSION_INSTANCE.name}-bodies", processes=("engine",), setup=(), durable=False
    ) as stack:
        yield stack
        stack.erase()


@pytest.fixture
def engine_client(engine_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineClient]:
    """The engine that the services of this process talk to."""
    for name in ("NEXUS_ENGINE_SOCKET", "NEXUS_JOURNAL", "REDIS_URL", "NEXUS_INSTANCE_ID"):
        monkeypatch.setenv(name, engine_stack.env[name])
    engine.cache_clear()
    yield engine()
    engine.cache_clear()

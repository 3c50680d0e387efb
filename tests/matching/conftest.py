"""Fixtures of the engine's tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.matching.market import Market, opening
from tests.matching.processes import EngineHost, Following

# A loaded machine is slow, not wrong.
settings.register_profile("matching", deadline=None)
settings.load_profile("matching")


@pytest.fixture
def market() -> Market:
    """An open market in gold and shares with three members."""
    return Market(opening())


@pytest.fixture
def host() -> Iterator[EngineHost]:
    """A folder for an engine of this test's own; nothing is started yet."""
    host = EngineHost()
    yield host
    host.close()


@pytest.fixture
def running(host: EngineHost) -> EngineHost:
    """A running engine with an open market and a Valkey."""
    host.valkey.start()
    host.start()
    host.open_market()
    return host


@pytest.fixture
def following(running: EngineHost) -> Iterator[Following]:
    """A follower of the running engine from the beginning."""
    following = Following(running.address)
    yield following
    following.stop()

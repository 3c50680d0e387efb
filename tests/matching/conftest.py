"""Fixtures of the engine's tests."""

import pytest

from tests.matching.market import Market, opening


@pytest.fixture
def market() -> Market:
    """An open market in gold and shares with three members."""
    return Market(opening())

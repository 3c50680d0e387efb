"""The shared exchange of the session, with members in it."""

from collections.abc import Iterator

import pytest

from exchange.stack import Stack
from tests.e2e.house import House


@pytest.fixture(scope="session")
def house(stack: Stack) -> Iterator[House]:
    """Four funded members in the session's exchange."""
    house = House.peopled(stack, "Ahn Seojun", "Bae Yuna", "Cho Hyunwoo", "Do Jiwoo")
    yield house
    for trader in house.traders:
        trader.close()

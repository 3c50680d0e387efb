"""Fixtures of all tests: real parts, started when first asked for, gone with the session."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from typing import Any

import pytest
import redis
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from exchange.stack import Instance, Stack, StackError, instance_erase
from exchange.stack.instance import instances_root
from exchange.stack.process import start_ticks
from tests.settings import SESSION_INSTANCE

StackFactory = Callable[..., Stack]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remove the instances of sessions that were killed; one process of the session does."""
    if hasattr(session.config, "workerinput"):
        return
    for home in instances_root().glob("test-*"):
        pid = home.name.split("-")[1]
        if pid.isdigit() and start_ticks(int(pid)) is None:
            _instance_erase(Instance.named(home.name))


def pytest_sessionfinish(session: pytest.Session) -> None:
    _instance_erase(SESSION_INSTANCE)


def _instance_erase(instance: Instance) -> None:
    with suppress(StackError):  # another session may be at it
        instance_erase(instance)


class Together(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist is untyped
    """Gives one worker all tests of a module, or of a room whose modules share an exchange.

    So that two workers start nothing twice that these share.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        rooms = [room for room in ("tests/e2e/", "tests/exchange/") if module.startswith(room)]
        return rooms[0] if rooms else module


# Groups by mark do not work: pytest 9.2 keeps ids where pytest-xdist 3.8 does not write them.
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session", autouse=True)
def product_settings() -> None:
    """Let processes that tests start run with the product's settings, not with the tests'."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"


@pytest.fixture(scope="session")
def parts() -> Iterator[Stack]:
    """PostgreSQL and Valkey of this session, for tests inside this process."""
    name = SESSION_INSTANCE.name
    with Stack(name, processes=(), parts=("postgres", "valkey"), durable=False, setup=()) as stack:
        yield stack


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    parts: Stack, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Let pytest-django create its test database in the embedded PostgreSQL."""


@pytest.fixture
def valkey(parts: Stack) -> Iterator[redis.Redis]:
    """An empty Valkey."""
    with redis.Redis.from_url(parts.urls["REDIS_URL"]) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def chain_url() -> Iterator[str]:
    """The URL of an EVM node that this session's tests share."""
    name = f"{SESSION_INSTANCE.name}-chain"
    with Stack(name, processes=(), parts=("chain",), setup=()) as stack:
        yield stack.urls["CHAIN_URL"]
        stack.erase()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A whole exchange, shared by the session: bring members of your own, break nothing."""
    with Stack(f"{SESSION_INSTANCE.name}-shared", durable=False) as stack:
        yield stack
        stack.erase()


@pytest.fixture
def new_stack() -> Iterator[StackFactory]:
    """Make instances of a test's own, which it may destroy; takes what Stack takes but a name."""
    numbers = count()
    with ExitStack() as ending:

        def make(name: str = "", **options: Any) -> Stack:
            chosen = name or f"{SESSION_INSTANCE.name}-own-{next(numbers)}"
            stack = ending.enter_context(Stack(chosen, **{"durable": False, **options}))
            ending.callback(stack.erase)
            return stack

        yield make


@pytest.fixture
def engine_only(new_stack: StackFactory) -> Stack:
    """Engine and Valkey alone, fresh for each test."""
    return new_stack(processes=("engine",))

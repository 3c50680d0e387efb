"""A clearing house a test: real node, real database, each set back to the moment of deployment.

Append-only tables refuse to be emptied, so every test works in a copy of a deployed database.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from exchange.stack import Stack
from exchange.stack.postgres import database_url
from settlement import lanes
from tests.settings import SESSION_INSTANCE
from tests.settlement.house import House
from tests.waiting import wait_until

ANVIL = Path(__file__).parents[2] / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
DEPLOYED = "clearing_deployed"
COPY = "clearing_copy"


@pytest.fixture(scope="session")
def clearing_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node that mines with each transaction and when it is told to."""
    log = tmp_path_factory.mktemp("clearing-anvil") / "log"
    options = ["--port", "0", "--slots-in-an-epoch", "1", "--enable-tx-gas-limit"]
    with log.open("wb") as output:
        process = subprocess.Popen([str(ANVIL), *options], stdout=output)
    try:
        wait_until(lambda: "Listening on" in log.read_text())
        found = re.search(r"Listening on (\S+)", log.read_text())
        assert found is not None
        yield f"http://{found.group(1)}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def clearing_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys folder of the deployed instance."""
    return tmp_path_factory.mktemp("clearing-keys")


@contextmanager
def _at_work(node: str, keys: Path) -> Iterator[None]:
    """Let this process speak with the node and a database copied meanwhile, and then as before."""
    outside = settings.CHAIN_URL, settings.KEYS, connection.settings_dict["NAME"]
    settings.CHAIN_URL, settings.KEYS = node, keys
    lanes.node.cache_clear()
    try:
        yield
    finally:
        _database_use(outside[2])
        settings.CHAIN_URL, settings.KEYS, _ = outside
        lanes.node.cache_clear()


@pytest.fixture(scope="session")
def deployed_house(
    clearing_node: str, clearing_keys: Path, parts: Stack, django_db_blocker: DjangoDbBlocker
) -> House:
    """One deployed instance in a database of its own, which every test copies."""
    with django_db_blocker.unblock(), _at_work(clearing_node, clearing_keys):
        _database_copy("template1", DEPLOYED)
        call_command("migrate", verbosity=0)
        return House.deployed()


@pytest.fixture
def house(
    deployed_house: House,
    clearing_node: str,
    clearing_keys: Path,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[House]:
    """The clearing house as it was when it was deployed, chain and database."""
    with django_db_blocker.unblock(), _at_work(clearing_node, clearing_keys):
        snapshot = deployed_house.rpc("evm_snapshot")
        _database_copy(DEPLOYED, COPY)
        monkeypatch.setenv("DATABASE_URL", database_url(SESSION_INSTANCE, COPY))
        fresh = House(deployed_house.keys, sequence=deployed_house.sequence)
        try:
            yield fresh
        finally:
            deployed_house.rpc("evm_revert", snapshot)
            deployed_house.rpc("anvil_dropAllTransactions")
            deployed_house.rpc("evm_setAutomine", True)


def _database_copy(source: str, target: str) -> None:
    connection.close()
    with psycopg.connect(database_url(SESSION_INSTANCE, "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {target} TEMPLATE {source} STRATEGY FILE_COPY")
    _database_use(target)


def _database_use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name

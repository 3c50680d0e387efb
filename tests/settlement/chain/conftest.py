"""A real EVM node of this folder's own (its tests move the node's clock), and an instance on it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from settlement.chain.client import Web3, chain_connect
from tests.settlement.chain.market import Market
from tests.waiting import wait_until

ANVIL = Path(__file__).parents[3] / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"


@pytest.fixture(scope="session")
def w3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web3]:
    """Start anvil on a free loopback port; stop it at the end."""
    log = tmp_path_factory.mktemp("anvil") / "log"
    options = ["--port", "0", "--slots-in-an-epoch", "1", "--no-request-size-limit"]
    with log.open("wb") as output:
        process = subprocess.Popen([str(ANVIL), *options, "--enable-tx-gas-limit"], stdout=output)
    try:
        wait_until(lambda: "Listening on" in log.read_text())
        found = re.search(r"Listening on (\S+)", log.read_text())
        assert found is not None
        yield chain_connect(f"http://{found.group(1)}")
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def market(w3: Web3) -> Market:
    """Deploy an instance which a module's tests share."""
    return Market.deployed(w3)


@pytest.fixture
def new_market(w3: Web3) -> Market:
    """Deploy an instance of a test's own."""
    return Market.deployed(w3)

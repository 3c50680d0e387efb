"""A reorganisation deeper than the last batch, under a whole exchange."""

import requests

from tests.conftest import StackFactory
from tests.e2e.house import House
from tests.faults.load import Load
from tests.waiting import wait_until


def _chain(house: House, method: str, *parameters: object) -> int:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    answer = requests.post(house.stack.urls["CHAIN_URL"], json=request, timeout=10).json()
    assert "error" not in answer, answer
    return int(answer["result"], 16) if isinstance(answer["result"], str) else 0


def test_fills_settle_once_when_the_chain_loses_the_last_batches(new_stack: StackFactory) -> None:
    house = House.peopled(new_stack(), "Noh Sujin", "Oh Taeyang")
    with Load(house.traders) as load:
        wait_until(lambda: len(load.acknowledged) >= 60, timeout_s=60)
    house.settled()
    ((block,),) = house.query("SELECT max(block_before) FROM settlement_batch")
    before = house.query("SELECT count(*) FROM settlement_batch WHERE state = 'confirmed'")
    depth = _chain(house, "eth_blockNumber") - block
    assert depth >= 2
    _chain(house, "anvil_reorg", depth, [])

    house.settled()
    wait_until(lambda: house.reconcile()[0] == 0, timeout_s=60)
    assert house.query("SELECT count(*) FROM settlement_batch WHERE state = 'confirmed'") == before
    load.verify()

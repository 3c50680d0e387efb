"""Batches on a real node: both signatures, one transaction or several, nothing else."""

import pytest
from eth_utils.crypto import keccak

from settlement.chain import client, encoding
from settlement.chain.encoding import chunks_encode
from tests.settlement.chain.market import ROOT, Market


def test_batch_settles_when_it_comes_in_one_transaction(new_market: Market) -> None:
    market = new_market
    alice, bob = market.accounts(2)
    market.mint("XAU", alice, 100)
    market.mint("KRW", bob, 1_000_000)
    moves = [("XAU", alice, -1), ("XAU", bob, 1), ("KRW", bob, -170_000), ("KRW", alice, 170_000)]
    chunks = chunks_encode(market.deltas(*moves))
    batch = market.batch(1, chunks, to_sequence=7)
    market.settle(batch, chunks)
    block = market.w3.eth.block_number
    assert client.balances_read(market.w3, market.token("XAU"), [alice, bob], block) == [99, 1]
    won = client.balances_read(market.w3, market.token("KRW"), [alice, bob], block)
    assert won == [170_000, 830_000]
    assert client.supply_read(market.w3, market.token("KRW"), block) == 1_000_000
    assert client.batch_root(market.w3, market.at.settlement, 1, block) == ROOT
    (event,) = client.settled_events(market.w3, market.at.settlement, 0, block)
    assert (event.batch_id, event.from_sequence, event.to_sequence) == (1, 1, 7)
    assert market.last_sequence() == 7


def test_gold_proceeds_buy_silver_when_one_batch_takes_several_transactions(
    new_market: Market,
) -> None:
    market = new_market
    alice, bob, carol = market.accounts(3)
    market.mint("XAU", alice, 10)
    market.mint("XAG", carol, 500)
    market.mint("KRW", bob, 900)
    # Alice has no money: she pays carol with what bob pays her.
    moves = [
        *(("XAU", alice, -10), ("XAU", bob, 10), ("KRW", bob, -900)),
        *(("XAG", carol, -500), ("XAG", alice, 500), ("KRW", carol, 900)),
    ]
    chunks = chunks_encode(market.deltas(*moves), max_deltas=1)
    assert len(chunks) == 6
    batch = market.batch(1, chunks)
    market.open(batch, chunks)
    for index, chunk in enumerate(chunks):
        assert market.last_sequence() == 0
        assert client.batch_root(market.w3, market.at.settlement, 1, "latest") is None
        market.apply(batch, index, chunk)
    assert market.last_sequence() == 1
    assert market.balance("XAG", alice) == 500
    assert market.balance("XAU", bob) == 10
    assert market.balance("KRW", carol) == 900
    assert market.balance("KRW", market.at.settlement) == 0


def test_stored_root_proves_each_fill_when_the_batch_is_settled(new_market: Market) -> None:
    leaves = [encoding.fill_leaf(bytes([number])) for number in range(7)]
    market = new_market
    market.settle(market.batch(1, [], fills_root=encoding.fills_root(leaves)), [])
    stored = client.batch_root(market.w3, market.at.settlement, 1, "latest")
    for index, leaf in enumerate(leaves):
        node = leaf
        for sibling in encoding.fill_proof(leaves, index):
            node = keccak(b"".join(sorted((node, sibling))))
        assert node == stored
    with pytest.raises(ValueError, match="at least one leaf"):
        encoding.fills_root([])

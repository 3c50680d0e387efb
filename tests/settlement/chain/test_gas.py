"""What a batch costs: printed for people, bounded for the cycle."""

import pytest

from settlement.chain.encoding import DELTAS_PER_CHUNK, chunks_encode
from tests.settlement.chain.market import GAS, Market

MEMBERS = 100


def test_delta_costs_one_slot_when_holders_know_the_token(
    new_market: Market, capsys: pytest.CaptureFixture[str]
) -> None:
    market = new_market
    members = market.accounts(2 * MEMBERS)
    sellers, buyers = members[:MEMBERS], members[MEMBERS:]
    market.mint("XAU", sellers[0], MEMBERS * 10)
    spread = [("XAU", sellers[0], -9 * MEMBERS)]
    spread += [("XAU", member, 9) for member in sellers[1:]] + [("XAU", buyers[0], 9)]
    chunks = chunks_encode(market.deltas(*spread))
    fresh = market.settle(market.batch(1, chunks), chunks)
    moves = [("XAU", member, -2) for member in sellers] + [("XAU", member, 2) for member in buyers]
    chunks = chunks_encode(market.deltas(*moves))
    first = market.settle(market.batch(2, chunks), chunks)
    again = market.settle(market.batch(3, chunks), chunks)
    empty = market.settle(market.batch(4, []), [])
    known_gas = (again - empty) // (2 * MEMBERS)
    new_gas = (first - again) // (MEMBERS - 1) + known_gas
    with capsys.disabled():
        print(f"\ngas: batch {empty}, delta {known_gas}, delta new to its token {new_gas}")
    assert known_gas < 8_000
    assert new_gas < 28_500
    assert fresh < GAS
    assert DELTAS_PER_CHUNK * new_gas + empty < GAS

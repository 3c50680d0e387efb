"""What breaks on the way to the chain: reorganisations, stuck nonces, workers that die."""

import os
import signal
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection

from matching.protocol import faults
from settlement import lanes, selectors, services, settle, sweeping
from settlement.chain import client, lane
from settlement.models import Batch, BatchState, ChainTransaction
from tests.settlement.house import KRW, XAU, House


def dies(house: House, point: str, work: Callable[[], object]) -> None:
    """Do the work in a process which is killed at the crash point."""
    connection.close()
    child = os.fork()
    if child == 0:
        faults._name, faults._remaining = point, 1
        lanes.node.cache_clear()
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, point
    lanes.node.cache_clear()


def one_fill(house: House) -> tuple[int, int]:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    return alice, bob


def settled_once(house: House, alice: int, bob: int) -> None:
    found = [house.chain_units(one, asset) for one in (alice, bob) for asset in (KRW, XAU)]
    assert found == [900, 1, 100, 9]
    deployed = house.deployment
    events = client.settled_events(
        lanes.node(), deployed.settlement, deployed.block_number, house.block()
    )
    assert [event.batch_id for event in events] == [1]


@pytest.mark.parametrize(
    "point",
    [
        "settler.transaction_stored",
        "settler.transaction_broadcast",
        "settler.chunk_confirmed",
        "settler.before_confirm",
        "settler.after_confirm",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_batch_settles_once_when_a_settler_is_killed(
    house: House, point: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole:
        monkeypatch.setattr(settings, "SETTLEMENT_GAS_PER_DELTA", 6_000_000)
    alice, bob = one_fill(house)
    batch = house.signed()
    dies(house, point, lambda: house.advance(batch))
    house.advance(batch)
    settled_once(house, alice, bob)


def test_batch_is_taken_once_when_its_proposer_is_killed(house: House) -> None:
    alice, bob = one_fill(house)
    dies(house, "settler.batch_proposed", house.propose)
    assert selectors.next_batch_range() is None
    batch = Batch.objects.get()
    house.mine()
    dies(house, "settler.batch_signed", house.signer.sign_waiting)
    house.advance(batch)
    settled_once(house, alice, bob)


def test_obligations_are_stored_once_when_their_follower_is_killed(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    before = selectors.obligations_position()
    dies(house, "obligations.before_commit", lambda: house.fill(alice, bob, 1, 100))
    assert selectors.obligations_position() == before
    dies(house, "obligations.after_commit", lambda: house.fill(alice, bob, 1, 100))
    assert selectors.obligations_position() == before + 1
    house.fill(alice, bob, 1, 100)
    assert len(selectors.obligations_between(before + 1, house.sequence)) == 1


def test_same_bytes_are_sent_again_when_a_reorganisation_takes_back_two_batches(
    house: House,
) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.mine(5)
    before = house.block()
    for _ in range(2):
        house.fill(alice, bob, 1, 100)
        house.advance(house.signed())
    sent = {one.pk: one.hashes for one in ChainTransaction.objects.all()}
    settled = selectors.settled_sequence()

    house.rpc("anvil_reorg", house.block() - before, [])
    assert house.rpc("txpool_status")["pending"] == "0x0"
    assert (house.chain_units(alice, XAU), house.chain_units(alice, KRW)) == (0, 1_000)
    sweeping.sweep()
    assert not Batch.objects.filter(state=BatchState.CONFIRMED).exists()
    assert selectors.next_batch_range() is None
    for batch in Batch.objects.order_by("batch_id"):
        house.advance(batch)

    assert {one.pk: one.hashes for one in ChainTransaction.objects.all()} == sent
    assert (house.chain_units(alice, XAU), house.chain_units(alice, KRW)) == (2, 800)
    assert selectors.settled_sequence() == settled


def test_chunks_are_sent_again_when_a_reorganisation_takes_back_some(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SETTLEMENT_GAS_PER_DELTA", 6_000_000)
    alice, bob = one_fill(house)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    settle.batch_advance(batch_id=batch.batch_id)
    house.mine(1)
    settle.batch_advance(batch_id=batch.batch_id)
    house.mine(1)
    house.rpc("anvil_reorg", 2, [])
    house.rpc("evm_setAutomine", True)
    house.advance(batch)
    settled_once(house, alice, bob)
    assert all(len(one.hashes) == 1 for one in ChainTransaction.objects.all())


def test_same_bytes_are_sent_again_when_the_node_forgets_them(house: House) -> None:
    alice, bob = one_fill(house)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    settle.batch_advance(batch_id=batch.batch_id)
    house.rpc("anvil_dropAllTransactions")
    house.rpc("evm_setAutomine", True)
    house.advance(batch)
    settled_once(house, alice, bob)
    assert len(ChainTransaction.objects.get().hashes) == 1


def test_fees_are_raised_under_the_same_nonce_when_a_transaction_is_stuck(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = one_fill(house)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    settle.batch_advance(batch_id=batch.batch_id)
    first = ChainTransaction.objects.get()
    house.rpc("anvil_setNextBlockBaseFeePerGas", hex(first.max_fee_wei + 1))
    house.mine(1)
    settle.batch_advance(batch_id=batch.batch_id)
    assert ChainTransaction.objects.get().hashes == first.hashes

    monkeypatch.setattr(settings, "SETTLEMENT_REPLACE_AFTER_S", 0)
    settle.batch_advance(batch_id=batch.batch_id)
    second = ChainTransaction.objects.get()
    assert (second.nonce, second.hashes[:1], len(second.hashes)) == (first.nonce, first.hashes, 2)
    assert second.max_fee_wei * 8 >= first.max_fee_wei * 9
    assert second.priority_fee_wei * 8 >= first.priority_fee_wei * 9
    monkeypatch.setattr(settings, "SETTLEMENT_REPLACE_AFTER_S", 20)
    house.rpc("evm_setAutomine", True)
    house.advance(batch)
    settled_once(house, alice, bob)


def test_fees_stop_rising_when_they_reach_the_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_fill(house)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    settle.batch_advance(batch_id=batch.batch_id)
    sent = ChainTransaction.objects.get()
    monkeypatch.setattr(settings, "SETTLEMENT_REPLACE_AFTER_S", 0)
    monkeypatch.setattr(settings, "SETTLEMENT_MAX_FEE_WEI", sent.max_fee_wei)
    settle.batch_advance(batch_id=batch.batch_id)
    assert ChainTransaction.objects.get().hashes == sent.hashes


def test_nothing_changes_when_the_same_bytes_are_sent_twice(house: House) -> None:
    alice, bob = one_fill(house)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    settle.batch_advance(batch_id=batch.batch_id)
    raw = bytes(ChainTransaction.objects.get().raw)
    assert lane.broadcast(lanes.node(), raw).accepted
    house.rpc("evm_setAutomine", True)
    house.advance(batch)
    answer = lane.broadcast(lanes.node(), raw)
    assert (answer.accepted, answer.error) == (False, "")
    services.batch_confirm(batch_id=batch.batch_id, gas_used=0, movements=[])
    settled_once(house, alice, bob)

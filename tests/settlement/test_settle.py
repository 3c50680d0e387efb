"""The settler on a real chain: whole batches and chunks, judged by what the contract holds."""

import threading

import pytest
from django.conf import settings
from django.db import connection

from settlement import lanes, selectors, settle
from settlement.chain import client, encoding, lane
from settlement.models import Batch, ChainTransaction
from settlement.reconciler import open_batch_moved
from tests.settlement.house import KRW, REVENUE, SILVER, SUSPENSE, XAG, XAU, House


@pytest.fixture
def chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no batch fit one transaction, and two deltas fill a chunk."""
    monkeypatch.setattr(settings, "SETTLEMENT_DELTAS_PER_CHUNK", 2)
    monkeypatch.setattr(settings, "SETTLEMENT_GAS_PER_DELTA", 6_000_000)


def gold_for_silver(house: House) -> tuple[int, int, int]:
    """Alice sells gold to Bob and buys Carol's silver with the proceeds she never had before."""
    alice, bob, carol = house.member(XAU=50), house.member(KRW=5_000), house.member(XAG=700)
    house.fill(bob, alice, 50, 5_000 - 100, fees=(100, 40))
    house.fill(alice, carol, 700, 4_800, instrument=SILVER, fees=(60, -20))
    return alice, bob, carol


def assert_gold_for_silver(house: House, alice: int, bob: int, carol: int) -> None:
    assert holdings(house, alice, bob, carol) == {
        (bob, XAU): 50,
        (alice, XAG): 700,
        (carol, KRW): 4_820,
        (REVENUE, KRW): 180,
    }


def test_batch_becomes_title_when_both_bodies_signed(house: House) -> None:
    alice, bob = house.member(KRW=10_000_000), house.member(XAU=1_000)
    house.fill(alice, bob, 1_000, 4_000_000, fees=(400, 200))
    batch = house.advance(house.signed())
    assert house.chain_units(alice, XAU) == 1_000
    assert house.chain_units(alice, KRW) == 10_000_000 - 4_000_000 - 400
    assert house.chain_units(bob, KRW) == 4_000_000 - 200
    assert house.chain_units(REVENUE, KRW) == 600
    assert selectors.settled_sequence() == batch.to_sequence == house.sequence
    sent = ChainTransaction.objects.get(lane="batches")
    assert (sent.subject, batch.gas_used) == ("batch:1:settle", sent.gas_used)


def test_proceeds_of_gold_buy_silver_when_settled_whole(house: House) -> None:
    members = gold_for_silver(house)
    house.advance(house.signed())
    assert_gold_for_silver(house, *members)


@pytest.mark.usefixtures("chunked")
def test_proceeds_of_gold_buy_silver_when_settled_in_chunks(house: House) -> None:
    members = gold_for_silver(house)
    batch = house.signed()
    phases = list(batch.chunks.order_by("index").values_list("phase", flat=True))
    assert phases == [0, 0, 1, 1]
    shown = set()
    house.rpc("evm_setAutomine", False)
    while batch.state != "confirmed":
        house.advance(batch, "settling", "opening", "collecting", "paying", "confirmed")
        shown.add(batch.state)
        house.mine(1)
    assert shown == {"opening", "collecting", "paying", "confirmed"}
    assert_gold_for_silver(house, *members)
    subjects = list(ChainTransaction.objects.order_by("nonce").values_list("subject", flat=True))
    assert subjects == ["batch:1:open", *(f"batch:1:chunk:{index}" for index in range(4))]


@pytest.mark.usefixtures("chunked")
def test_open_batch_explains_the_chain_when_only_debits_are_in(house: House) -> None:
    members = gold_for_silver(house)
    before = holdings(house, *members)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    house.advance(batch, "opening")
    for _ in range(2):  # the opening, then every debit
        house.mine(3)
        settle.batch_advance(batch_id=batch.batch_id)
    block, deployed = client.finalized_block(lanes.node()), house.deployment
    state = client.settlement_state(lanes.node(), deployed.settlement, block)
    assert (state.open_batch.next_chunk, state.open_batch.status) == (2, client.Status.COLLECTING)
    moved = open_batch_moved(deployed, state, block)
    assert holdings(house, *members) == {
        key: units for key in before if (units := before[key] + moved.get(key, 0))
    }
    assert sum(moved.values()) < 0


def holdings(house: House, *accounts: int) -> dict[tuple[int, int], int]:
    return {
        (number, asset): units
        for number in (*accounts, REVENUE)
        for asset in (KRW, XAU, XAG)
        if (units := house.chain_units(number, asset))
    }


def test_trades_that_cancel_out_are_settled_when_nothing_moves(house: House) -> None:
    alice, bob = house.member(), house.member()
    house.fill(alice, bob, 5, 100)
    house.fill(bob, alice, 5, 100)
    batch = house.advance(house.signed())
    assert batch.chunks.count() == 0
    assert selectors.settled_fills() == 2


def test_next_batch_follows_when_the_first_is_confirmed(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    first = house.signed()
    assert selectors.next_batch_range() is None
    house.advance(first)
    house.fill(alice, bob, 2, 200)
    second = house.advance(house.signed())
    assert second.from_sequence == first.to_sequence + 1
    assert (house.chain_units(alice, XAU), house.chain_units(bob, KRW)) == (3, 300)


def test_freeze_stops_later_fills_alone_when_a_member_is_frozen(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    frozen_at, address = house.sequence, house.address(alice)
    status = (address, False, True, frozen_at, 1)
    registry = house.deployment.identity_registry
    house.execute("compliance", registry, "setStatus(address,bool,bool,uint64,uint64)", *status)
    house.advance(house.signed())
    assert house.chain_units(alice, XAU) == 1
    house.fill(alice, bob, 2, 200)
    batch = house.signed()
    settle.batch_advance(batch_id=batch.batch_id)
    batch.refresh_from_db()
    assert "Frozen" in batch.error
    assert house.chain_units(alice, KRW) == 900


def test_suspense_receives_when_an_address_is_no_account(house: House) -> None:
    bob, stranger = house.member(XAU=10), house.member_unopened()
    house.fill(stranger, bob, 4, 1, fees=(-1, 1))
    batch = house.advance(house.signed())
    assert (house.chain_units(stranger, XAU), house.chain_units(SUSPENSE, XAU)) == (0, 4)
    moved = batch.reserve_movements.get()
    assert (moved.kind, moved.account, moved.amount_units) == ("diverted", stranger, 4)


def test_batch_settles_once_when_two_workers_advance_it_at_once(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    batch = house.signed()
    faults: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(3):
                settle.batch_advance(batch_id=batch.batch_id)
        except BaseException as fault:  # noqa: BLE001 (told below)
            faults.append(fault)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults
    house.advance(batch)
    assert ChainTransaction.objects.filter(lane="batches").count() == 1
    assert (house.chain_units(alice, XAU), house.chain_units(alice, KRW)) == (1, 900)


def carried_by_stranger(house: House, batch: Batch) -> None:
    terms = encoding.Batch(
        batch.batch_id,
        batch.from_sequence,
        batch.to_sequence,
        bytes(batch.fills_root),
        bytes(batch.chunks_hash),
    )
    signatures = bytes(batch.venue_signature), bytes(batch.clearing_signature or b"")
    chunks = [bytes(chunk.data) for chunk in batch.chunks.order_by("index")]
    house.carry(house.deployment.settlement, lane.settle_call(terms, *signatures, chunks))


def test_batch_is_confirmed_by_its_root_when_a_stranger_carried_it(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    batch = house.signed()
    carried_by_stranger(house, batch)
    house.advance(batch)
    assert not ChainTransaction.objects.filter(lane="batches").exists()
    assert house.chain_units(alice, XAU) == 1


def test_batch_settles_once_when_a_stranger_is_faster_than_our_transaction(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    settle.batch_advance(batch_id=batch.batch_id)
    ours = ChainTransaction.objects.get(lane="batches")
    assert ours.state == "broadcast"
    house.rpc("anvil_dropTransaction", ours.hashes[0])
    house.rpc("evm_setAutomine", True)
    carried_by_stranger(house, batch)
    house.advance(batch)
    ours.refresh_from_db()
    assert ours.state == "reverted"
    assert house.chain_units(alice, KRW) == 900


def test_nonce_is_used_on_when_the_lane_was_used_elsewhere(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    batch = house.signed()
    node, key = lanes.node(), lanes.lane_key("batches")
    address = lane.lane_address(key)
    fees = client.fees_suggest(node)
    built = lane.transaction_build(address, b"", 0, 21_000, *fees, client.chain_id(node))
    assert lane.broadcast(node, lane.transaction_sign(key, built)[0]).accepted
    house.advance(batch)
    assert ChainTransaction.objects.get(lane="batches", state="final").nonce == 1

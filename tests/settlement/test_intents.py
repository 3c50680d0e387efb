"""Intents of custody and compliance, carried on their own lane by a purse that signs for nobody."""

from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from compliance import calldata
from compliance.intents import IntentState
from compliance.signer import BodySigner, intents_sign
from custody.models import Account, CustodyIntent
from settlement import intents, lanes, settle
from settlement.chain import client, encoding, lane
from settlement.models import CarriedIntent, ChainTransaction, Lane
from tests.settlement.house import KRW, XAU, House


def opening(house: House, **changed: Any) -> CustodyIntent:
    """Return custody's signed wish to open an account in the registry."""
    number = house.member_unopened()
    home = encoding.clearing_id(settings.INSTANCE_ID)
    intent = CustodyIntent.objects.create(
        kind="open",
        target=house.deployment.account_registry,
        data=calldata.open_account(house.address(number), home),
        subject={"account": number},
        account_id=number,
        **changed,
    )
    assert intents_sign(house.keys["custody"], [intent], lambda *_: None) == 1
    return intent


def executed(house: House, intent: CustodyIntent, state: str = IntentState.CONFIRMED) -> None:
    for _ in range(20):
        intents.intents_execute()
        intent.refresh_from_db()
        if intent.state == state:
            return
        house.mine()
    raise AssertionError(f"intent stays {intent.state}: {intent.error}")


def used(house: House, intent: CustodyIntent) -> bool:
    authority = house.deployment.authorities["custody"]
    return client.authority_used(lanes.node(), authority, intent.chain_id_bytes, "latest")


def test_account_is_registered_when_its_intent_is_final(house: House) -> None:
    intent = opening(house)
    intents.intents_execute()
    intent.refresh_from_db()
    assert (intent.state, used(house, intent)) == (IntentState.SUBMITTED, True)
    executed(house, intent)
    assert Account.objects.get(pk=intent.account_id).registered_at is not None
    assert intents.intents_execute() == 0
    assert ChainTransaction.objects.filter(lane="intents").count() == 1


def test_intent_is_confirmed_when_a_stranger_carried_it(house: House) -> None:
    intent = opening(house)
    data = lane.execute_call(
        intent.target,
        bytes(intent.data),
        intent.chain_id_bytes,
        CustodyIntent.objects.get(pk=intent.pk).deadline,
        bytes(CustodyIntent.objects.get(pk=intent.pk).signature or b""),
    )
    house.carry(house.deployment.authorities["custody"], data)
    executed(house, intent)
    assert not ChainTransaction.objects.filter(lane="intents").exists()


def test_intent_is_due_again_when_the_contract_refuses_it(house: House) -> None:
    intent = opening(house)
    CustodyIntent.objects.filter(pk=intent.pk).update(signature=bytes(64) + b"\x1b")
    intents.intents_execute()
    intent.refresh_from_db()
    assert (intent.state, intent.attempts) == (IntentState.SIGNED, 1)
    assert intent.error
    assert not ChainTransaction.objects.filter(lane="intents").exists()
    assert not CarriedIntent.objects.exists()


def test_others_are_carried_when_one_intent_cannot_even_be_encoded(house: House) -> None:
    poison, intent = opening(house), opening(house)
    CustodyIntent.objects.filter(pk=poison.pk).update(target="nowhere")
    executed(house, intent)
    poison.refresh_from_db()
    assert (poison.state, used(house, poison)) == (IntentState.SIGNED, False)
    assert poison.attempts >= 1 and poison.error
    assert ChainTransaction.objects.filter(lane="intents").count() == 1


def test_intent_is_due_again_when_its_transaction_reverts(house: House) -> None:
    intent = opening(house)
    house.rpc("evm_setAutomine", False)
    intents.intents_execute()
    sent = ChainTransaction.objects.get(lane="intents")
    house.rpc("anvil_setCode", house.deployment.account_registry, "0xfe")
    house.mine()
    intents.intents_execute()
    sent.refresh_from_db()
    intent.refresh_from_db()
    assert (sent.state, intent.state, intent.attempts) == ("reverted", IntentState.SIGNED, 1)


def test_intents_travel_when_a_batch_is_stuck(house: House) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    batch = house.signed()
    house.rpc("evm_setAutomine", False)
    settle.batch_advance(batch_id=batch.batch_id)
    house.rpc("anvil_dropAllTransactions")
    intent = opening(house)
    executed(house, intent)
    batch.refresh_from_db()
    assert batch.state == "settling"
    assert (house.chain_units(alice, XAU), house.chain_units(alice, KRW)) == (0, 1_000)
    assert Lane.objects.values("address").distinct().count() == 2


def test_intent_is_sent_again_when_a_reorganisation_takes_it_back(house: House) -> None:
    intent = opening(house)
    house.mine(5)
    before = house.block()
    executed(house, intent)
    hashes = ChainTransaction.objects.get(lane="intents").hashes
    house.rpc("anvil_reorg", house.block() - before, [])
    assert not used(house, intent)
    intents.intents_execute()
    assert used(house, intent)
    assert ChainTransaction.objects.get(lane="intents").hashes == hashes


def test_many_intents_are_carried_once_when_two_passes_follow_each_other(house: House) -> None:
    wished: list[UUID] = [opening(house).pk for _ in range(5)]
    intents.intents_execute()
    intents.intents_execute()
    for pk in wished:
        executed(house, CustodyIntent.objects.get(pk=pk))
    assert ChainTransaction.objects.filter(lane="intents").count() == 1


def test_others_are_carried_when_the_contract_refuses_one_of_many(house: House) -> None:
    refused, *others = [opening(house) for _ in range(3)]
    CustodyIntent.objects.filter(pk=refused.pk).update(signature=bytes(64) + b"\x1b")
    for intent in others:
        executed(house, intent)
    refused.refresh_from_db()
    assert (refused.state, used(house, refused)) == (IntentState.SIGNED, False)
    assert refused.attempts >= 1 and "InvalidSignature" in refused.error


def test_many_intents_are_carried_when_a_stranger_carried_one_just_before(house: House) -> None:
    wished = [opening(house) for _ in range(2)]
    house.rpc("evm_setAutomine", False)
    intents.intents_execute()
    (sent,) = ChainTransaction.objects.filter(lane="intents")
    house.rpc("anvil_dropAllTransactions")
    house.rpc("evm_setAutomine", True)
    wished[0].refresh_from_db()
    first = wished[0]
    data = lane.execute_call(
        first.target,
        bytes(first.data),
        first.chain_id_bytes,
        first.deadline,
        bytes(first.signature or b""),
    )
    house.carry(house.deployment.authorities["custody"], data)
    for intent in wished:
        executed(house, intent)
    sent.refresh_from_db()
    assert sent.state in ("mined", "final")


def test_intents_take_several_transactions_when_one_has_no_gas_for_all(house: House) -> None:
    wished = [opening(house) for _ in range(12)]
    for intent in wished:
        executed(house, intent)
    assert ChainTransaction.objects.filter(lane="intents").count() == 2


def test_purse_alone_is_refused_when_it_signs_for_a_body(house: House) -> None:
    intent = opening(house)
    master = lanes.master_key()
    domain = encoding.Domain(
        house.deployment.chain_id, house.deployment.authorities["custody"], settings.INSTANCE_ID
    )
    typed = encoding.execute_typed(
        domain, intent.target, bytes(intent.data), intent.chain_id_bytes, 2**40
    )
    forged = BodySigner("lane", master).sign_typed(typed)
    data = lane.execute_call(
        intent.target, bytes(intent.data), intent.chain_id_bytes, 2**40, forged
    )
    refusal = lanes.call_refusal("intents", house.deployment.authorities["custody"], data, 10**6)
    assert refusal is not None
    with pytest.raises(AssertionError):
        house.carry(house.deployment.authorities["custody"], data)
    assert not used(house, intent)

"""What outside wallets send to accounts: found once, and nothing else for a deposit."""

import secrets
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from custody import selectors as custody_selectors
from custody import services as custody_services
from custody.errors import Conflict
from custody.models import CustodyIntent, TokenDeposit, Withdrawal
from matching.protocol.events import Debited
from settlement import deposits, intents, lanes, selectors
from settlement.chain import client, lane
from settlement.chain.encoding import call_encode
from settlement.models import DepositPosition
from tests.e2e.wallet import FORGER
from tests.settlement.house import KRW, XAU, House
from tests.waiting import wait_until

DELIVERIES = 100


def _payer() -> str:
    """Return the outside address from which `House.carry` sends."""
    return lane.lane_address(lanes.master_key())


def _outside(house: House, account: int, units: int) -> None:
    """Let custody move units of gold from an account to the payer's wallet."""
    token = selectors.token_addresses()[XAU]
    signature = "custodyTransfer(address,address,uint256)"
    house.execute("custody", token, signature, house.address(account), _payer(), units)


def _sent(house: House, receiver: str, units: int) -> None:
    data = call_encode("transfer(address,uint256)", receiver, units)
    house.carry(selectors.token_addresses()[XAU], data)


def _found() -> list[tuple[int, int, int, str]]:
    rows = TokenDeposit.objects.order_by("id")
    return [(one.account_id, one.asset_id, one.amount_units, one.state) for one in rows]


def test_deposit_is_found_once_when_its_event_comes_a_hundred_times(house: House) -> None:
    member = house.member(XAU=1_000)
    _outside(house, member, 400)
    _sent(house, house.address(member), 150)
    assert deposits.deposits_find() == 0  # not final yet
    house.mine()
    assert deposits.deposits_find() == 1
    for _ in range(DELIVERIES):
        DepositPosition.objects.update(block_number=house.deployment.block_number)
        deposits.deposits_find()
    assert _found() == [(member, XAU, 150, "confirmed")]
    (deposit,) = custody_selectors.token_deposits_of(member)
    assert deposit.sender == _payer()
    assert custody_selectors.token_deposit_units(house.block()) == {XAU: 150}
    assert custody_selectors.token_deposit_units(deposit.block_number - 1) == {}


def test_nothing_else_is_a_deposit(house: House) -> None:
    buyer, seller = house.member(KRW=10**6), house.member(XAU=1_000)
    house.fill(buyer, seller, 100, 500)
    house.advance(house.signed())
    token = selectors.token_addresses()[XAU]
    transfer = "custodyTransfer(address,address,uint256)"
    house.execute("custody", token, transfer, house.address(seller), house.address(buyer), 50)
    _outside(house, seller, 40)
    _sent(house, client.Web3.to_checksum_address(secrets.token_bytes(20)), 10)
    _sent(house, house.address(buyer), 0)
    house.burn(seller, "XAU", 5)
    _forged(house, house.address(buyer))
    house.mine()
    assert deposits.deposits_find() == 0
    assert _found() == []
    assert selectors.deposits_position() == client.finalized_block(lanes.node())


def _forged(house: House, receiver: str) -> None:
    """Let a contract of nobody's write the event of a transfer to an account."""
    size = len(FORGER)
    creation = bytes([0x60, size, 0x60, 12, 0x60, 0, 0x39, 0x60, size, 0x60, 0, 0xF3]) + FORGER
    node, key = lanes.node(), lanes.master_key()
    nonce = client.nonce_read(node, _payer(), "pending")
    fees = client.fees_suggest(node)
    built = lane.transaction_build(receiver, creation, nonce, 10**6, *fees, client.chain_id(node))
    raw, digest = lane.transaction_sign(key, {**built, "to": ""})
    assert lane.broadcast(node, raw).accepted
    receipt = ("eth_getTransactionReceipt", "0x" + digest.hex())
    # Taken is not mined: the node answers before the block is there.
    wait_until(lambda: house.rpc(*receipt) is not None)
    found = house.rpc(*receipt)
    words = [int(_payer(), 16), int(receiver, 16), 77]
    data = b"".join(word.to_bytes(32, "big") for word in words)
    contract = client.Web3.to_checksum_address(found["contractAddress"])
    house.carry(contract, data)
    assert len(house.rpc("eth_getLogs", {"address": contract, "fromBlock": "0x0"})) == 1


def test_deposit_waits_for_its_confirmations(house: House, settings: Settings) -> None:
    settings.SETTLEMENT_DEPOSIT_CONFIRMATIONS = 12
    member = house.member(XAU=1_000)
    _outside(house, member, 400)
    _sent(house, house.address(member), 400)
    house.mine()
    deposits.deposits_find()
    assert _found() == [(member, XAU, 400, "found")]
    house.mine(12)
    deposits.deposits_find()
    assert _found() == [(member, XAU, 400, "confirmed")]


def test_deposit_of_other_content_under_a_known_event_is_refused(house: House) -> None:
    member = house.member()
    event: dict[str, Any] = {"transaction_hash": "0x" + 64 * "1", "log_index": 0, "block_number": 1}
    terms: dict[str, Any] = {"account": member, "asset": XAU, "sender": _payer(), **event}
    custody_services.token_deposit_receive(amount_units=5, **terms)
    with pytest.raises(Conflict), transaction.atomic():
        custody_services.token_deposit_receive(amount_units=6, **terms)
    assert _found() == [(member, XAU, 5, "found")]


def _held(account: int, sequence: int) -> Withdrawal:
    return Withdrawal.objects.create(
        account_id=account,
        asset_id=KRW,
        amount_units=10_000,
        kind="cash",
        destination="hana:110-222",
        client_reference=secrets.token_hex(8),
        state="held",
        engine_sequence=sequence,
    )


def test_withdrawal_is_covered_when_the_fills_before_it_are_title(
    house: House, clearing_keys: Path
) -> None:
    buyer, seller = house.member(KRW=10**6), house.member(XAU=1_000)
    house.feed(Debited(buyer, KRW, 10_000, "withdrawal:1"))
    withdrawal = _held(buyer, house.sequence)
    assert house.signer.sign_waiting() == 1
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.cover_sequence) == ("covered", house.sequence)

    house.fill(buyer, seller, 100, 500)
    later = _held(buyer, house.sequence)
    assert house.signer.sign_waiting() == 0
    batch = house.propose()
    house.mine()
    assert house.signer.sign_waiting() == 1
    later.refresh_from_db()
    assert later.state == "held"
    house.advance(batch)
    assert house.signer.sign_waiting() == 1
    later.refresh_from_db()
    assert (later.state, later.cover_sequence) == ("covered", house.sequence)


def test_signature_of_a_returned_withdrawal_is_void_when_its_time_is_over(house: House) -> None:
    member = house.member(KRW=10**6)
    withdrawal = _held(member, 1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE custody_withdrawal SET state = 'returning'")
    now = client.finalized_time(lanes.node())
    intent = CustodyIntent.objects.create(
        id=withdrawal.pk,
        kind="burn",
        target=selectors.token_addresses()[KRW],
        data=b"",
        account_id=member,
        deadline=now + 600,
        signature=bytes(65),
        state="signed",
    )
    Withdrawal.objects.update(intent=intent)
    for deadline, state in ((now + 600, "signed"), (now - 1, "void")):
        CustodyIntent.objects.filter(pk=intent.pk).update(deadline=deadline)
        intents._voided_tell()
        intent.refresh_from_db()
        assert intent.state == state
    assert custody_selectors.withdrawals_unvoided() == []

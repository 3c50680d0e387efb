"""Tokens from outside wallets: one event of the chain is one credit, however often it is told."""

from typing import Any

import pytest

from custody import selectors, services
from custody.errors import NotYet
from custody.models import Account, TokenDeposit
from matching.client import EngineClient
from matching.protocol.commands import OpenAccount
from matching.protocol.queries import Balances, GetBalances

pytestmark = pytest.mark.django_db
XAU = 2
EVENT: dict[str, Any] = {
    "asset": XAU,
    "amount_units": 1_250,
    "sender": "0x5B38Da6a701c568545dCfcB03FcB875f56beddC4",
    "log_index": 3,
    "block_number": 70,
}


def _units(client: EngineClient, account: int) -> int:
    reply = client.ask(GetBalances(account))
    assert isinstance(reply, Balances)
    return sum(one.available_units for one in reply.balances if one.asset == XAU)


def test_event_is_credited_once_when_it_comes_a_hundred_times(
    account: Account, engine_client: EngineClient
) -> None:
    engine_client.send(OpenAccount(account.pk, account.holder))
    event = {**EVENT, "account": account.pk, "transaction_hash": f"0x{account.pk:064x}"}
    deposit = services.token_deposit_receive(**event)
    with pytest.raises(NotYet):
        services.token_deposit_credit(deposit_id=deposit.pk)
    assert services.token_deposits_confirm(upto_block=69) == 0
    for _ in range(100):
        assert services.token_deposit_receive(**event) == deposit
        services.token_deposits_confirm(upto_block=70)
        services.token_deposit_credit(deposit_id=deposit.pk)
    services.sweep()
    deposit.refresh_from_db()
    assert deposit.state == "credited" and deposit.engine_sequence
    assert TokenDeposit.objects.count() == 1
    assert _units(engine_client, account.pk) == 1_250
    reference = selectors.deposit_reference(deposit.transaction_hash, 3)
    assert selectors.token_deposit_credited_as(reference) == deposit
    assert selectors.token_deposit_credited_as(reference + "9") is None
    assert selectors.token_deposits_since(0) == [deposit]
    assert selectors.token_deposits_since(deposit.engine_sequence) == []

"""Deployment: everything stands, twice changes nothing, the deployer keeps nothing."""

from typing import Any
from uuid import uuid4

import pytest

from settlement.chain import client, lane
from settlement.chain.blueprint import BODIES, AssetTerms
from settlement.chain.client import Web3
from settlement.chain.deploy import DeploymentError, deploy
from settlement.chain.encoding import call_encode
from tests.settlement.chain.market import ASSETS, Market, Refused, fund


def test_second_deployment_changes_nothing_when_the_first_is_whole(
    w3: Web3, new_market: Market
) -> None:
    market = new_market
    signers = {body: lane.lane_address(key) for body, key in market.keys.items()}
    again = deploy(
        w3,
        instance=market.instance,
        lane_key=market.lane_key,
        signers=signers,
        assets=ASSETS,
    )
    assert market.at.transactions == 2 * len(BODIES) + len(ASSETS) + 5
    assert again.transactions == 0
    for name in ("authorities", "tokens", "settlement", "account_registry", "identity_registry"):
        assert getattr(again, name) == getattr(market.at, name)


def test_deployment_resumes_when_it_was_cut_off(w3: Web3) -> None:
    market = Market.deployed(w3)
    signers = {body: lane.lane_address(key) for body, key in market.keys.items()}
    terms: dict[str, Any] = {"lane_key": market.lane_key, "signers": signers, "assets": ASSETS}
    snapshot = w3.provider.make_request("evm_snapshot", [])["result"]  # type: ignore[arg-type]
    whole = deploy(w3, instance=uuid4(), **terms)
    height = w3.eth.block_number
    for missing in (1, 7, 13):
        w3.provider.make_request("anvil_rollback", [missing])  # type: ignore[arg-type]
        assert w3.eth.block_number == height - missing
        again = deploy(w3, instance=whole.instance, **terms)
        assert (again.transactions, again.tokens) == (missing, whole.tokens)
    w3.provider.make_request("evm_revert", [snapshot])  # type: ignore[arg-type]


def test_deployment_is_refused_when_an_asset_comes_after_the_seal(
    w3: Web3, new_market: Market
) -> None:
    signers = {body: lane.lane_address(key) for body, key in new_market.keys.items()}
    with pytest.raises(DeploymentError, match="TIN"):
        deploy(
            w3,
            instance=new_market.instance,
            lane_key=new_market.lane_key,
            signers=signers,
            assets=[*ASSETS, AssetTerms("TIN", "Tin", "metal", 1)],
        )


def test_deployment_is_refused_when_two_bodies_share_a_key(w3: Web3) -> None:
    key = b"\x01" * 32
    with pytest.raises(ValueError, match="four different keys"):
        deploy(
            w3,
            instance=uuid4(),
            lane_key=key,
            signers=dict.fromkeys(BODIES, lane.lane_address(key)),
            assets=ASSETS,
        )


def test_deployer_can_do_nothing_when_wiring_is_over(market: Market) -> None:
    at, stranger = market.at, "0x" + "99" * 20
    seals = {
        at.authorities["custody"]: call_encode("seal((address,bytes4)[],address[])", [], []),
        at.account_registry: call_encode(
            "seal(address,uint32,address[],address)", stranger, 1, [], stranger
        ),
        at.identity_registry: call_encode("seal(address[])", [stranger]),
    }
    for target, data in seals.items():
        with pytest.raises(Refused, match="AlreadySealed"):
            market.send(target, data)
    calls = {
        at.account_registry: call_encode("open(address,uint32)", stranger, 1),
        at.identity_registry: call_encode(
            "setStatus(address,bool,bool,uint64,uint64)", stranger, True, False, 0, 1
        ),
        at.tokens["XAU"]: call_encode(
            "mint(address,uint256,bytes32,uint256)", stranger, 1, b"\x01" * 32, 1
        ),
        at.tokens["KRW"]: call_encode("mint(address,uint256,bytes32)", stranger, 1, b"\x01" * 32),
        at.tokens["ACME"]: call_encode("mint(address,uint256)", stranger, 1),
    }
    for target, data in calls.items():
        with pytest.raises(Refused, match="NotCustody|NotCompliance"):
            market.send(target, data)


def test_a_stranger_cannot_wire_when_the_deployer_has_not(w3: Web3, market: Market) -> None:
    stranger = b"\x05" * 32
    fund(w3, lane.lane_address(stranger))
    data = call_encode("seal(address[])", [])
    with pytest.raises(Refused, match="NotDeployer"):
        market.send(market.at.identity_registry, data, stranger)


def test_reads_say_so_when_no_contract_stands_there(w3: Web3) -> None:
    nowhere = "0x" + "77" * 20
    with pytest.raises(client.NotDeployed):
        client.balances_read(w3, nowhere, [nowhere], "latest")
    assert client.settlement_state(w3, nowhere, "latest").last_sequence == 0
    assert client.batch_root(w3, nowhere, 1, "latest") is None

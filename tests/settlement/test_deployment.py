"""Deployment: once however often it runs, and never onto another instance."""

from uuid import uuid4

import pytest
from django.conf import settings

from compliance import policy
from custody import selectors as custody_selectors
from settlement import lanes
from settlement.deployment import chain_deploy
from settlement.errors import InstanceDiffers, LaneUnavailable
from settlement.models import Deployment, Lane
from tests.settlement.house import GUARANTEE, SUSPENSE, House


def test_deploying_sends_nothing_when_everything_stands(house: House) -> None:
    before, block = Deployment.objects.values().get(), house.block()
    assert chain_deploy() == house.deployment
    assert Deployment.objects.values().get() == before
    assert house.block() == block


def test_deploying_is_carried_on_when_nothing_was_written_down(house: House) -> None:
    before = Deployment.objects.values("settlement", "tokens", "authorities").get()
    Deployment.objects.all().delete()
    Lane.objects.all().delete()
    chain_deploy()
    assert Deployment.objects.values("settlement", "tokens", "authorities").get() == before
    assert set(Lane.objects.values_list("name", flat=True)) == set(lanes.NAMES)


def test_bodies_know_their_contracts_when_deployed(house: House) -> None:
    deployed = house.deployment
    clearing = policy.policy_load("clearing")
    assert clearing.chain is not None
    assert clearing.chain.targets["settlement"] == deployed.settlement
    assert clearing.attestor == house.keys["custody"].address
    assert custody_selectors.account_addresses([SUSPENSE, GUARANTEE]) == {
        SUSPENSE: deployed.suspense,
        GUARANTEE: deployed.guarantee_fund,
    }


def test_deploying_is_refused_when_the_database_is_another_instances(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = house.deployment.instance, uuid4()
    monkeypatch.setattr(settings, "INSTANCE_ID", other)
    with pytest.raises(InstanceDiffers, match=f"{own}.*{other}"):
        chain_deploy()


def test_lanes_are_missing_when_the_key_file_is_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "LANE_KEY_FILE", settings.KEYS / "no-such-file")
    with pytest.raises(LaneUnavailable, match="no-such-file"):
        lanes.lane_key("batches")

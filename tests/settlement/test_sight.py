"""What is known of the node by those who may not ask it."""

import pytest
from django.conf import settings

from settlement import lanes, selectors, sweeping
from settlement.models import ChainSight
from tests.settlement.house import House


def test_newest_block_is_seen_from_the_deployment_on(house: House) -> None:
    first = selectors.chain_sight()
    assert first is not None
    house.mine()
    sweeping.chain_observe_due()
    second = selectors.chain_sight()
    assert second is not None
    assert (second.block_number, ChainSight.objects.count()) == (house.block(), 1)
    assert second.block_number > first.block_number
    assert second.seen_at > first.seen_at


def test_sight_grows_old_when_the_node_does_not_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ChainSight.objects.values().get()
    with monkeypatch.context() as gone:
        gone.setattr(settings, "CHAIN_URL", "http://127.0.0.1:9")
        lanes.node.cache_clear()
        sweeping.chain_observe_due()
    lanes.node.cache_clear()
    assert ChainSight.objects.values().get() == before

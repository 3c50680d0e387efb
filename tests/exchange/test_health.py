"""What the report of health makes of what it finds, in this process."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from exchange.operations.health import report
from matching.client import EngineClient
from settlement.models import ChainSight
from tests.bodies import *

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("answered_s_ago", "block_age_s", "detail"),
    [
        (0, 0, None),
        (29, 59, None),
        (31, 31, "the node last answered 31 s ago"),
        (0, 61, "the node's newest block is 61 s old"),
    ],
)
def test_node_that_is_silent_or_stands_still_is_named(
    engine_client: EngineClient,
    settings: Settings,
    answered_s_ago: int,
    block_age_s: int,
    detail: str | None,
) -> None:
    settings.HEALTH_PROCESSES = ("worker",)
    now = timezone.now()
    ChainSight.objects.create(
        block_number=17,
        block_at=now - timedelta(seconds=block_age_s),
        seen_at=now - timedelta(seconds=answered_s_ago),
    )
    found = report()
    assert found.chain is not None and found.chain.block == 17
    named = [cause.detail for cause in found.causes if cause.part == "chain"]
    assert named == ([] if detail is None else [detail])


def test_missing_standby_is_named_where_one_is_expected(
    engine_client: EngineClient, settings: Settings
) -> None:
    named = {cause.part for cause in report().causes}
    assert "process:standby" not in named
    settings.HEALTH_STANDBY = True
    found = report()
    assert found.processes["standby"] == "unavailable"
    (cause,) = [cause for cause in found.causes if cause.part == "process:standby"]
    assert "should the leader die, the market stands still" in cause.detail


def test_nothing_is_said_of_the_chain_before_the_deployment(engine_client: EngineClient) -> None:
    found = report()
    assert found.chain is None
    assert "chain" not in [cause.part for cause in found.causes]

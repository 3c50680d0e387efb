"""Looks at the chain for those who may not: whether the node answers, how old its newest block is.

Doors stand in a network without the node, and would hang with it.
"""

from datetime import UTC, datetime

from django.utils import timezone

from settlement import lanes
from settlement.chain import client
from settlement.models import ChainSight


def chain_observe() -> None:
    """Write down the newest block, and that the node answered; raises what the node fails with."""
    number, time_s = client.latest_head(lanes.node())
    seen = {"block_at": datetime.fromtimestamp(time_s, UTC), "seen_at": timezone.now()}
    ChainSight.objects.update_or_create(id=1, defaults={"block_number": number, **seen})

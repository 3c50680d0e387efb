"""Fee tiers from what was traded: each trade date once, told to the engine, exact thresholds."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from compliance.models import AuditRecord
from custody.models import Account
from exchange.trading import tiers
from exchange.trading.models import Fill, ProjectorPosition
from matching.client import EngineClient
from matching.protocol.commands import OpenAccount
from matching.protocol.units import FillKind, Side
from tests.bodies import *

# Ten in the morning in Seoul; the trade date began ten hours before.
NOW = datetime(2094, 6, 4, 1, tzinfo=UTC)
HOLDER, FIRST, SECOND, OTHER = 5000, 5001, 5002, 5003
BILLION = 1_000_000_000 * 10_000
_numbers = count(1)


@pytest.fixture
def accounts(db: None, engine_client: EngineClient) -> None:
    """A holder with two accounts, and another; records hold all that the engine did."""
    for account, holder in ((FIRST, HOLDER), (SECOND, HOLDER), (OTHER, OTHER)):
        Account.objects.create(id=account, holder=holder)
        engine_client.send(OpenAccount(account, holder))
    ProjectorPosition.objects.update(sequence=10**9)


def fill(maker: int, taker: int, units: int, *, days: float, kind: FillKind) -> None:
    """Record a fill so many days before the trade date began."""
    number, at = next(_numbers), NOW - timedelta(hours=10, days=days)
    Fill.objects.create(
        fill_id=number,
        sequence=number,
        time_ns=int(at.timestamp()) * 10**9,
        instrument=1,
        price_ticks=1,
        quantity_lots=1,
        base_units=1,
        quote_units=units,
        taker_side=Side.BUY,
        maker_order_id=1,
        taker_order_id=2,
        maker_account=maker,
        taker_account=taker,
        maker_fee_units=0,
        taker_fee_units=0,
        kind=kind,
    )


def test_holder_reaches_a_tier_with_all_its_accounts_and_leaves_it_again(accounts: None) -> None:
    fill(FIRST, OTHER, BILLION - 1, days=30, kind=FillKind.CONTINUOUS)
    fill(OTHER, SECOND, 1, days=1 / 86_400, kind=FillKind.AUCTION)
    # Too old, of today, made elsewhere, undoing an error: none of these counts.
    fill(FIRST, OTHER, BILLION, days=30 + 1 / 86_400, kind=FillKind.CONTINUOUS)
    fill(FIRST, OTHER, BILLION, days=0, kind=FillKind.CONTINUOUS)
    fill(FIRST, OTHER, BILLION, days=2, kind=FillKind.EXTERNAL)
    fill(FIRST, OTHER, BILLION, days=2, kind=FillKind.COMPENSATING)
    assert tiers.fee_tiers_set(now=NOW) == 2
    for account in (FIRST, SECOND, OTHER):
        assert tiers.standing(account=account) == tiers.Standing(1, BILLION)
    assert tiers.fee_tiers_set(now=NOW) == 0
    later = NOW + timedelta(days=60)
    assert tiers.fee_tiers_set(now=later) == 2
    assert tiers.standing(account=FIRST) == tiers.Standing(0, 0)
    told = AuditRecord.objects.filter(action="holder.fee_tier_set", subject=f"holder:{HOLDER}")
    assert [(record.detail["before"], record.detail["tier"]) for record in told.order_by("id")] == [
        (0, 1),
        (1, 0),
    ]


def test_tiers_wait_until_the_records_hold_yesterday(accounts: None) -> None:
    fill(FIRST, OTHER, BILLION, days=1, kind=FillKind.CONTINUOUS)
    ProjectorPosition.objects.update(sequence=0)
    assert tiers.fee_tiers_set(now=NOW) == 0
    assert tiers.standing(account=FIRST).tier == 0
    ProjectorPosition.objects.update(sequence=10**9)
    assert tiers.fee_tiers_set(now=NOW) == 2


@pytest.mark.parametrize(
    ("units", "tier"), [(0, 0), (BILLION - 1, 0), (BILLION, 1), (10 * BILLION, 2), (10**18, 3)]
)
def test_tier_is_that_of_the_highest_threshold_reached(units: int, tier: int) -> None:
    assert tiers.tier_of(units) == tier

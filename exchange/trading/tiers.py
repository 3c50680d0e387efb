"""Fee tiers: each trade date a holder's tier follows from what it traded in the 30 days before.

Both sides of every fill on this venue count, over all markets and accounts of the holder, in the
quote asset; what was filled at a partner exchange or undoes an error does not. What must not live
here: the rates (`DefineInstrument`), what a fill costs (the engine).
"""

import logging
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from compliance import services as compliance
from compliance.errors import Conflict
from custody import selectors as custody
from custody.catalogue import CASH
from exchange.api.times import moment_ns
from exchange.listings.calendars import TRADE_ZONE, trade_date
from exchange.trading.models import FeeTier, FeeTierDay
from exchange.trading.selectors import projector_position
from matching.client import engine
from matching.protocol.commands import SetFeeTier
from matching.protocol.events import Refused
from matching.protocol.queries import GetStatus
from matching.protocol.refusals import Refusal
from matching.protocol.units import FillKind

DAYS = 30
_COUNTED = [FillKind.CONTINUOUS.value, FillKind.AUCTION.value, FillKind.MIDPOINT.value]
_VOLUMES = """
    SELECT account, sum(quote_units) FROM (
        SELECT maker_account AS account, quote_units, time_ns, kind FROM trading_fill
        UNION ALL
        SELECT taker_account, quote_units, time_ns, kind FROM trading_fill
    ) AS sides
    WHERE time_ns >= %s AND time_ns < %s AND kind = ANY(%s) GROUP BY account
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """A holder's tier, and the volume in base units of the quote asset that it came from."""

    tier: int
    volume_units: int


def tier_of(volume_units: int) -> int:
    """Return the tier of a volume: how many thresholds it has reached."""
    thresholds = [krw * 10**CASH.decimals for krw in settings.MARKETS_FEE_TIER_VOLUMES_KRW]
    return bisect_right(thresholds, volume_units)


def standing(*, account: int) -> Standing:
    """Return the tier that holds for an account today, and its holder's volume behind it."""
    holder = custody.account_get(account).holder
    row = FeeTier.objects.filter(holder=holder).first()
    return Standing(row.tier, int(row.volume_units)) if row else Standing(0, 0)


def fee_tiers_set(*, now: datetime | None = None) -> int:
    """Give every holder the tier of today, once a trade date; return how many changed.

    May run any time, and twice: only what differs is told to the engine. While the records do not
    hold all of yesterday it does nothing, and is due again. Raises `Conflict` when the engine
    refuses, `EngineUnavailable`; the day is then not done.
    """
    today = trade_date(now or timezone.now())
    if FeeTierDay.objects.filter(date=today, done=True).exists():
        return 0
    # All of yesterday lies at or below the number that is the last one now.
    day, _ = FeeTierDay.objects.get_or_create(
        date=today, defaults={"sequence": engine().ask(GetStatus()).sequence}
    )
    if projector_position() < day.sequence:
        return 0
    volumes = _by_holder(_volumes(today))
    known = {row.holder: row.tier for row in FeeTier.objects.all()}
    changed = 0
    for holder in sorted(volumes.keys() | known.keys()):
        volume_units = volumes.get(holder, 0)
        changed += _set(holder, volume_units, known.get(holder, 0), today)
    FeeTierDay.objects.filter(date=today).update(done=True)
    return changed


def _set(holder: int, volume_units: int, before: int, today: date) -> bool:
    tier = tier_of(volume_units)
    if tier != before:
        answer = engine().send(SetFeeTier(holder, tier))
        first = answer.events[0]
        # Told before by one that did not come to write it down.
        if isinstance(first, Refused) and first.code != Refusal.UNCHANGED:
            raise Conflict(f"engine refused tier {tier} of holder {holder}: {first.detail}")
    with transaction.atomic():
        FeeTier.objects.update_or_create(
            holder=holder, defaults={"tier": tier, "volume_units": volume_units}
        )
        if tier != before:
            compliance.audit_append(
                body="venue",
                actor="process:fee-tiers",
                action="holder.fee_tier_set",
                subject=f"holder:{holder}",
                detail={
                    "date": today.isoformat(),
                    "tier": tier,
                    "before": before,
                    "volume_units": str(volume_units),
                },
            )
    return tier != before


def _volumes(today: date) -> dict[int, int]:
    """Return what each account traded in the 30 trade dates before a day."""
    begin = today - timedelta(days=DAYS)
    with connection.cursor() as cursor:
        cursor.execute(_VOLUMES, [_begin_ns(begin), _begin_ns(today), _COUNTED])
        return {account: int(units) for account, units in cursor.fetchall()}


def _begin_ns(day: date) -> int:
    return moment_ns(datetime.combine(day, time(), TRADE_ZONE))


def _by_holder(volumes: Mapping[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    holders = custody.accounts_by_number(volumes.keys()) if volumes else {}
    for account, units in volumes.items():
        holder = holders[account].holder
        found[holder] = found.get(holder, 0) + units
    return found

"""Segments of the market with their circuit breakers: listing them, and beginning their days."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from compliance import services as compliance
from compliance.errors import BodyRefused, Conflict
from exchange.api.times import moment_ns
from exchange.listings import selectors
from exchange.listings.calendars import Transition
from exchange.listings.locks import segment_lock
from exchange.listings.models import Instrument, Segment
from exchange.listings.services.instruments import BODY
from matching.client import EngineUnavailable, engine
from matching.protocol.commands import BeginSession, BreakerStage, DefineSegment
from matching.protocol.events import Refused
from matching.protocol.refusals import Refusal
from matching.protocol.units import Phase

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentListing:
    """What the listing committee decides about a segment; see `DefineSegment`."""

    id: int
    name: str
    calendar: str
    constituents: tuple[tuple[int, int], ...]
    hold_ns: int
    quiet_ns: int = 0
    stages: tuple[BreakerStage, ...] = ()


def segment_list(*, listing: SegmentListing, actor: str) -> Segment:
    """List a segment or change its rules, and tell the engine; the same again changes nothing.

    Raises `Conflict` when the engine refuses, `EngineUnavailable` (the row stands then, and the
    sweeper tells the engine).
    """
    values = {
        "name": listing.name,
        "calendar": listing.calendar,
        "constituents": [list(pair) for pair in listing.constituents],
        "stages": [
            [each.fall_ppm, each.further_ppm, each.halt_ns, each.auction_ns, each.closes]
            for each in listing.stages
        ],
        "hold_ns": listing.hold_ns,
        "quiet_ns": listing.quiet_ns,
    }
    with transaction.atomic():
        row = segment_lock(listing.id) or Segment(id=listing.id)
        if row._state.adding or any(getattr(row, name) != values[name] for name in values):
            for name, value in values.items():
                setattr(row, name, value)
            row.defined_sequence = None
            row.save()
            compliance.audit_append(
                body=BODY,
                actor=actor,
                action="segment.listed",
                subject=f"segment:{row.name}",
                detail={name: str(value) for name, value in values.items()},
            )
    if row.defined_sequence is None:
        segment_define(segment_id=row.id)
    return Segment.objects.get(id=row.id)


def segment_define(*, segment_id: int) -> None:
    """Tell the engine a segment's rules as they stand; may run any time. Raises as above."""
    command: DefineSegment = Segment.objects.get(id=segment_id).definition()
    answer = engine().send(command)
    first = answer.events[0]
    if isinstance(first, Refused) and first.code != Refusal.UNCHANGED:
        raise Conflict(f"engine refused segment {segment_id}: {first.code} {first.detail}")
    with transaction.atomic():
        now = segment_lock(segment_id)
        if now is not None and now.definition() == command:
            now.defined_sequence = answer.sequence
            now.save(update_fields=["defined_sequence"])


def sessions_begin(*, now: datetime | None = None) -> int:
    """Begin the day of every segment whose instruments have entered theirs; return how many.

    By then every base price is that of the day: their index is what falls are measured from. May
    run twice; what the engine does not take is due again at the next look.
    """
    at, begun = now or timezone.now(), 0
    for row in Segment.objects.exclude(defined_sequence=None).order_by("id"):
        latest = selectors.transition_latest(row.calendar, at)
        if latest is None or latest.day_begins <= row.scheduled_to or latest.phase is Phase.CLOSED:
            continue
        numbers = [number for number, _ in row.constituents]
        late = Instrument.objects.filter(id__in=numbers, scheduled_to__lt=latest.day_begins)
        if late.exists():
            continue
        try:
            begun += _begin(row, latest)
        except (BodyRefused, EngineUnavailable) as error:
            logger.warning("segment %s does not begin its day: %s", row.name, error)
    return begun


def _begin(row: Segment, latest: Transition) -> bool:
    answer = engine().send(BeginSession(row.id, moment_ns(latest.day_ends)))
    first = answer.events[0]
    if isinstance(first, Refused) and first.code != Refusal.UNCHANGED:
        raise Conflict(f"engine refused the session: {first.code} {first.detail}")
    with transaction.atomic():
        standing = Segment.objects.filter(id=row.id, scheduled_to__lt=latest.day_begins)
        if not standing.update(scheduled_to=latest.day_begins):
            return False
        compliance.audit_append(
            body=BODY,
            actor="process:schedule",
            action="segment.session_begun",
            subject=f"segment:{row.name}",
            detail={"closes_at": latest.day_ends.isoformat(), "sequence": answer.sequence},
        )
    return True

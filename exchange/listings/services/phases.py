"""Phases of instruments: by act of officers, and by the calendar's transitions.

An officer's word stands until the next transition; what officers halt stays halted until they lift
it. Auctions end by themselves in the engine; the schedule begins them, and steps in where an end is
long overdue. The engine decides; the rows' `phase` follows its events.
"""

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.errors import BodyRefused, Conflict
from exchange.listings import selectors
from exchange.listings.calendars import Transition
from exchange.listings.locks import phase_turn
from exchange.listings.models import Instrument
from exchange.listings.services.instruments import BODY, instrument_rebase
from exchange.listings.ticks import price_floor
from matching.client import EngineUnavailable, engine
from matching.protocol.codec import Answer
from matching.protocol.commands import SetKillSwitch, SetPhase
from matching.protocol.events import Refused
from matching.protocol.queries import GetInstruments, Instruments, InstrumentState
from matching.protocol.refusals import Refusal
from matching.protocol.units import Phase

SCHEDULE = "process:schedule"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPENING = (Phase.OPENING_AUCTION, Phase.CONTINUOUS, Phase.CONTINUOUS_24H)

logger = logging.getLogger(__name__)


def phase_project(*, instrument_id: int, phase: Phase, ends_at_ns: int, sequence: int) -> None:
    """Note a phase that the engine's events tell; an older one than is known changes nothing."""
    # One command may change a phase more than once: the last of its events counts.
    rows = Instrument.objects.filter(id=instrument_id, phase_sequence__lte=sequence)
    rows.update(phase=phase, phase_ends_at_ns=ends_at_ns, phase_sequence=sequence)


def act_execute(*, act_id: UUID) -> None:
    """Carry out an approved act of the venue: a phase, or a kill switch. May run any time.

    Raises `EngineUnavailable`; what the engine refuses fails for good.
    """
    act = compliance_selectors.act_get(act_id)
    if act.body != BODY:
        raise Conflict(f"act {act_id} belongs to {act.body}")
    if act.state != act.State.APPROVED:
        return
    assert act.decided_at is not None, "an approved act has the time of its approval"
    match act.kind:
        case "venue.set_phase":
            phase = Phase(act.payload["phase"])
            answer = _decide(act.payload["instrument"], phase, act.decided_at)
        case "venue.set_kill_switch":
            answer = engine().send(SetKillSwitch(**act.payload))
        case _:
            compliance.act_fail(act_id=act_id, error=f"the venue does not execute {act.kind}")
            return
    first = answer.events[0]
    # A switch that stands as it should was set by an earlier attempt.
    if not isinstance(first, Refused) or first.code == Refusal.UNCHANGED:
        compliance.act_complete(act_id=act_id, result={"sequence": answer.sequence})
        return
    # A young instance opens its revenue account while officers open its markets.
    if first.code in (Refusal.ENGINE_UNAVAILABLE, Refusal.UNKNOWN_ACCOUNT):
        compliance.act_retry(act_id=act_id, error=first.detail)
    else:
        compliance.act_fail(act_id=act_id, error=f"{first.code}: {first.detail}")


def _decide(instrument_id: int, phase: Phase, decided_at: datetime) -> Answer:
    """Tell the engine what officers decided, and the schedule whether they halted."""
    rows = Instrument.objects.filter(id=instrument_id)
    with phase_turn(instrument_id):
        if phase is Phase.HALTED:
            # A halt beats the calendar, though it be carried out after a transition. The schedule
            # is kept out before the engine halts, so that a crash in between opens nothing.
            scheduled_to = rows.values_list("scheduled_to", flat=True).first()
            decided_at = max(decided_at, scheduled_to or decided_at)
            rows.update(halted_by_officers=True)
        answer = engine().send(SetPhase(instrument_id, phase, _time_ns(decided_at)))
        if not isinstance(answer.events[0], Refused) and phase is not Phase.HALTED:
            rows.update(halted_by_officers=False)
    return answer


def phases_schedule(*, now: datetime | None = None) -> int:
    """Bring every instrument to the latest transition of its calendar; return how many followed.

    Of transitions missed while nobody looked only the latest counts. May run twice and in two
    workers at once; what the engine does not take is due again at the next look.
    """
    at, followed = now or timezone.now(), 0
    for row in Instrument.objects.exclude(defined_sequence=None).order_by("id"):
        latest = selectors.transition_latest(row.calendar, at)
        if latest is None or latest.at <= row.scheduled_to:
            continue
        try:
            followed += _follow(row.id, latest)
        except (BodyRefused, EngineUnavailable) as error:
            logger.warning("%s does not follow its calendar: %s", row.symbol, error)
    return followed


def _follow(instrument_id: int, latest: Transition) -> bool:
    with phase_turn(instrument_id):
        row = Instrument.objects.get(id=instrument_id)
        if latest.at <= row.scheduled_to:
            return False
        state = _state(instrument_id)
        if not row.halted_by_officers and _wanted(latest, state):
            if row.scheduled_to < latest.day_begins and latest.phase in _OPENING:
                _rebase(row, state)
            ends_at_ns = _time_ns(latest.ends_at) if latest.ends_at else 0
            decided_at_ns = _time_ns(latest.decided_at)
            command = SetPhase(instrument_id, latest.phase, decided_at_ns, ends_at_ns)
            event = engine().send(command).events[0]
            # Officers who decided after the transition have the word until the next.
            if isinstance(event, Refused) and event.code != Refusal.STALE_VERSION:
                raise Conflict(f"engine refused phase {latest.phase.name}: {event.detail}")
        with transaction.atomic():
            Instrument.objects.filter(id=instrument_id).update(scheduled_to=latest.at)
            compliance.audit_append(
                body=BODY,
                actor=SCHEDULE,
                action="instrument.transition_passed",
                subject=f"instrument:{row.symbol}",
                detail={
                    "at": latest.at.isoformat(),
                    "phase": latest.phase.name,
                    "halted_by_officers": row.halted_by_officers,
                },
            )
    return True


def _wanted(latest: Transition, state: InstrumentState) -> bool:
    """Tell whether the market needs the calendar's word, or has come by itself to where it is."""
    match latest.phase:
        case Phase.CLOSED | Phase.CLOSING_AUCTION:  # what a breaker or officers closed stays so
            return state.phase is not Phase.CLOSED
        case Phase.CONTINUOUS:
            return state.phase in (Phase.CLOSED, Phase.OPENING_AUCTION)
        case Phase.CONTINUOUS_24H:  # an interruption, or a breaker's halt, ends by itself
            return not state.ends_at_ns
        case _:
            return True


def _time_ns(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1) * 1_000


def _state(instrument_id: int) -> InstrumentState:
    reply = engine().ask(GetInstruments())
    assert isinstance(reply, Instruments)
    for each in reply.instruments:
        if each.definition.instrument == instrument_id:
            return each
    raise Conflict(f"the engine knows no instrument {instrument_id}")


def _rebase(row: Instrument, state: InstrumentState) -> None:
    """Put the band around the last price of the day before, or a base price set since. Source: KRX.

    Not around a trade of before that base price: a split may lie between them.
    """
    if row.base_price_ticks and state.reference_ticks:
        # A trade under an earlier tick table may lie between two steps of this one.
        price = price_floor(row.definition().tick_table, state.reference_ticks)
        instrument_rebase(instrument_id=row.id, base_price_ticks=price, actor=SCHEDULE)

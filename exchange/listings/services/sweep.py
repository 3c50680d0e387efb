"""Finds what is due at the venue and was not woken."""

from functools import partial

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from exchange.listings.models import Instrument, Segment
from exchange.listings.services.instruments import BODY, instrument_define
from exchange.listings.services.phases import act_execute
from exchange.listings.services.segments import segment_define


def sweep(*, limit: int = 100) -> int:
    """Carry on approved acts and rows the engine was not told of; return how many were tried."""
    due = compliance_selectors.acts_due(BODY, limit=limit)
    for act in due:
        if error := compliance.attempt(partial(act_execute, act_id=act.id)):
            compliance.act_retry(act_id=act.id, error=error)
    undefined = list(
        Instrument.objects.filter(defined_sequence=None).values_list("id", flat=True)[:limit]
    )
    for instrument_id in undefined:
        compliance.attempt(partial(instrument_define, instrument_id=instrument_id))
    segments = list(
        Segment.objects.filter(defined_sequence=None).values_list("id", flat=True)[:limit]
    )
    for segment_id in segments:
        compliance.attempt(partial(segment_define, segment_id=segment_id))
    return len(due) + len(undefined) + len(segments)

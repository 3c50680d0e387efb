"""Finds what is due at the venue and was not woken."""

import logging

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.errors import Conflict
from exchange.listings.models import Instrument
from exchange.listings.services.instruments import BODY, instrument_define
from exchange.listings.services.phases import act_execute
from matching.client import EngineUnavailable

logger = logging.getLogger(__name__)


def sweep(*, limit: int = 100) -> int:
    """Carry on approved acts and rows the engine was not told of; return how many were tried."""
    due = compliance_selectors.acts_due(BODY, limit=limit)
    for act in due:
        try:
            act_execute(act_id=act.id)
        except EngineUnavailable as error:
            compliance.act_retry(act_id=act.id, error=str(error))
    undefined = list(
        Instrument.objects.filter(defined_sequence=None).values_list("id", flat=True)[:limit]
    )
    for instrument_id in undefined:
        try:
            instrument_define(instrument_id=instrument_id)
        except (Conflict, EngineUnavailable) as error:
            logger.warning("instrument %s is not defined: %s", instrument_id, error)
    return len(due) + len(undefined)

"""What other rooms may have the listing committee and the schedule do."""

from exchange.listings.services.instruments import (
    Listing,
    instrument_define,
    instrument_list,
    instrument_rebase,
)
from exchange.listings.services.phases import act_execute, phase_project, phases_schedule
from exchange.listings.services.segments import SegmentListing, segment_list, sessions_begin
from exchange.listings.services.sessions import sessions_store
from exchange.listings.services.sweep import sweep

__all__ = [
    "Listing",
    "SegmentListing",
    "act_execute",
    "instrument_define",
    "instrument_list",
    "instrument_rebase",
    "phase_project",
    "phases_schedule",
    "segment_list",
    "sessions_begin",
    "sessions_store",
    "sweep",
]

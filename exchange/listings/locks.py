"""Locks of listed instruments; taken nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from exchange.listings.models import Instrument, Segment

_PHASES = 0x50484153  # keeps these advisory locks apart from all others


def instrument_lock(instrument_id: int) -> Instrument | None:
    """Lock and return the instrument, or None; rows may still refer to it. In a transaction."""
    return Instrument.objects.select_for_update(no_key=True).filter(id=instrument_id).first()


def segment_lock(segment_id: int) -> Segment | None:
    """Lock and return the segment, or None. In a transaction."""
    return Segment.objects.select_for_update(no_key=True).filter(id=segment_id).first()


@contextmanager
def phase_turn(instrument_id: int) -> Iterator[None]:
    """Let one process at a time decide on an instrument's phase and tell the engine.

    Belongs to the database session, so that it may be held while the engine is asked, and a worker
    that dies gives it back.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_PHASES, instrument_id])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_PHASES, instrument_id])

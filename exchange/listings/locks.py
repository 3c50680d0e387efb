"""Row locks of listed instruments; taken nowhere else."""

from exchange.listings.models import Instrument


def instrument_lock(instrument_id: int) -> Instrument | None:
    """Lock and return the instrument, or None; rows may still refer to it. In a transaction."""
    return Instrument.objects.select_for_update(no_key=True).filter(id=instrument_id).first()

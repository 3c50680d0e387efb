"""Steps of the price and bands around a base price, in whole ticks. Pure: no database, no clock.

A tick table holds (from price, step) pairs as the engine takes them; none means every tick.
"""

from compliance.errors import Invalid
from matching.protocol.units import PARTS_PER_MILLION, price_step_ticks

TickTable = tuple[tuple[int, int], ...]


def price_floor(table: TickTable, price_ticks: int) -> int:
    """Return the highest price on the table that is not above `price_ticks`."""
    return price_ticks - price_ticks % price_step_ticks(table, price_ticks)


def band_around(base_ticks: int, band_ppm: int, table: TickTable = ()) -> tuple[int, int]:
    """Return the lowest and highest price; (0, 0), which bounds nothing, without base or band.

    Base times band is rounded down to the base's step, then added and rounded down again, or
    taken off and rounded up: the band is never wider than it says. Source: KRX, price limits.
    Raises `Invalid` for a base price off the table.
    """
    if not base_ticks or not band_ppm:
        return 0, 0
    step = price_step_ticks(table, base_ticks)
    if base_ticks % step:
        raise Invalid(f"base price of {base_ticks} ticks is no multiple of its step {step}")
    width = base_ticks * band_ppm // PARTS_PER_MILLION // step * step
    low = base_ticks - width
    low_step = price_step_ticks(table, low)
    return -(-low // low_step) * low_step, price_floor(table, base_ticks + width)

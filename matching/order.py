"""The open order, as books and accounts both know it.

What lives here is that one record. What must not: rules of any kind.
"""

import msgspec

from matching.protocol.events import OrderAccepted
from matching.protocol.units import Side


class Order(msgspec.Struct, gc=False, array_like=True):
    """An open order; its fee terms are those of its acceptance (or of its last loss of priority).

    It refers to no account or book object, so that orders form no cycles and need no collector.
    """

    id: int
    account: int
    holder: int
    side: Side
    price_ticks: int
    remaining_lots: int
    held_units: int
    maker_fee_ppm: int
    hold_ppm: int
    accepted: OrderAccepted

"""The open order, as books and accounts both know it.

What lives here is that one record. What must not: rules of any kind.
"""

from enum import IntEnum

import msgspec

from matching.protocol.events import OrderAccepted
from matching.protocol.units import Side


class Place(IntEnum):
    """Where an open order stands: in a price's level, among market orders, or unseen.

    STOP and CLOSE are parked, for a stop price and for the closing auction.
    """

    LEVEL = 1
    MARKET = 2
    MIDPOINT = 3
    STOP = 4
    CLOSE = 5


class Special(msgspec.Struct, gc=False, array_like=True):
    """What an order has beyond the ordinary: most orders have none of it.

    `hidden_lots` are open behind those that an iceberg shows; `stop_price_ticks` is where it waits;
    `pair` is the id of the order that ends when this one trades or ends.
    """

    place: Place = Place.LEVEL
    hidden_lots: int = 0
    stop_price_ticks: int = 0
    pair: int = 0
    expires_at_ns: int = 0


class Order(msgspec.Struct, gc=False, array_like=True):
    """An open order; its fee terms are those of its acceptance (or of its last loss of priority).

    `price_ticks` is its limit; of one that buys at any price, what it may pay at most. It refers to
    no account or book object, so that orders form no cycles and need no collector.
    """

    id: int
    account: int
    holder: int
    side: Side
    price_ticks: int
    visible_lots: int
    held_units: int
    maker_fee_ppm: int
    hold_ppm: int
    accepted: OrderAccepted
    special: Special | None = None

    @property
    def place(self) -> Place:
        return Place.LEVEL if self.special is None else self.special.place

    @property
    def pair(self) -> int:
        return 0 if self.special is None else self.special.pair

    @property
    def expires_at_ns(self) -> int:
        """When the order expires, 0 for never."""
        return 0 if self.special is None else self.special.expires_at_ns

    @property
    def open_lots(self) -> int:
        """All that is open, hidden or not."""
        special = self.special
        return self.visible_lots if special is None else self.visible_lots + special.hidden_lots

    @property
    def display_lots(self) -> int:
        """What an iceberg shows at a time; 0 for an order that shows itself whole."""
        terms = self.accepted.terms
        return 0 if terms is None else terms.display_lots

    def show(self, lots: int) -> None:
        """Set the open quantity, of an iceberg showing as much anew as it may."""
        display = self.display_lots
        if display:
            assert self.special is not None, "an iceberg has a hidden part"
            self.visible_lots = min(lots, display)
            self.special.hidden_lots = lots - self.visible_lots
        else:
            self.visible_lots = lots

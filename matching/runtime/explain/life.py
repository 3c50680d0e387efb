"""What is told of one order: plain data, which is also the form for machines."""

from typing import Any

import msgspec

from matching.protocol.units import Side


class Ahead(msgspec.Struct):
    """An order that stood before, with the lots open then, and what became of those."""

    order_id: int
    account: int
    price_ticks: int
    lots: int
    filled_lots: int = 0
    reduced_lots: int = 0
    became: str = "open"


class Queue(msgspec.Struct):
    """What stood before the order when it took its place; the first is the next to trade."""

    sequence: int
    ahead: list[Ahead]


class Fill(msgspec.Struct):
    """A fill of the order, `role` being maker or taker; a negative fee is a rebate.

    Of one made at a partner exchange, `remaining_lots` are those of the route.
    """

    sequence: int
    fill_id: int
    role: str
    price_ticks: int
    lots: int
    remaining_lots: int
    fee_units: int
    counter_order_id: int
    counter_account: int


class Moment(msgspec.Struct):
    """What one command did to the order, and where that left it."""

    sequence: int
    seoul: str
    utc: str
    command: str
    what: str = ""
    standing: str = ""


class Life(msgspec.Struct):
    """One order; `order_id` is 0 when it was refused. Prices of 0 are none.

    `state` is open, filled, cancelled or refused; a parked order is open outside the book. `asked`
    are the fields of the command that placed it; `best_bid_ticks`, `best_ask_ticks` and `phase` are
    those of the moment before it.
    """

    order_id: int
    account: int
    client_order_id: str
    instrument: int
    side: Side
    asked: dict[str, Any]
    phase: str
    best_bid_ticks: int
    best_ask_ticks: int
    state: str
    price_ticks: int
    remaining_lots: int
    parked: bool = False
    moments: list[Moment] = []
    fills: list[Fill] = []
    queues: list[Queue] = []
    standing: str = ""

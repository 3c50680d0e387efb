"""The image of a state: plain data in one canonical order, for snapshots and the state hash."""

import msgspec

from matching.accounts import Movement
from matching.order import Order
from matching.protocol.commands import DefineInstrument
from matching.protocol.events import OrderAccepted
from matching.protocol.units import AccountKind, Phase


class HolderImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    holder: int
    version: int
    classes: int
    frozen: bool


class AccountImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Balances are (asset, available, held) without zeros; ids are sorted by client order id."""

    account: int
    holder: int
    kind: AccountKind
    balances: tuple[tuple[int, int, int], ...]
    ids: tuple[OrderAccepted, ...]
    older_ids: tuple[OrderAccepted, ...]


class BookImage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Orders stand in price-time priority, bids before asks."""

    definition: DefineInstrument
    phase: Phase
    phase_decided_at_ns: int
    last_price_ticks: int
    orders: tuple[Order, ...]


class Image(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Everything but sequence number and clock, each list sorted by its key."""

    holders: tuple[HolderImage, ...]
    accounts: tuple[AccountImage, ...]
    books: tuple[BookImage, ...]
    outstanding: tuple[tuple[int, int], ...]
    movements: tuple[Movement, ...]
    trade_day: int
    fills: int

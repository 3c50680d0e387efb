"""Listing instruments and changing their rules; the engine's word is final."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from compliance import services as compliance
from compliance.errors import Conflict, Invalid
from custody import selectors as custody
from exchange.api.times import NS_PER_S
from exchange.listings.locks import instrument_lock
from exchange.listings.models import Calendar, Instrument
from exchange.listings.ticks import band_around
from matching.client import engine
from matching.protocol.commands import DefineInstrument
from matching.protocol.events import InstrumentDefined, Refused
from matching.protocol.refusals import Refusal
from matching.protocol.units import PARTS_PER_MILLION, Allocation

BODY = "venue"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What the listing committee decides about an instrument; sizes in quote asset and `unit`.

    `band` is the share of the base price by which prices may differ from it; `tick_table` holds
    (from price, step) pairs rising from 0, each step a multiple of the tick. `fee_tiers` are the
    (maker, taker) rates of tiers 1, 2, ...; `value_max` bounds an order in the quote asset.
    `collar`, `dynamic`, `closing_dynamic` and `static` are shares of a price (`DefineInstrument`).
    """

    id: int
    symbol: str
    base_asset: str
    quote_asset: str
    unit: str
    tick_size: Decimal
    lot_size: Decimal
    instrument_class: int
    quantity_max: Decimal
    base_price: Decimal | None = None
    band: Decimal = Decimal(0)
    tick_table: tuple[tuple[int, int], ...] = ()
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    fee_tiers: tuple[tuple[int, int], ...] = ()
    value_max: Decimal = Decimal(0)
    collar: Decimal = Decimal(0)
    dynamic: Decimal = Decimal(0)
    closing_dynamic: Decimal = Decimal(0)
    static: Decimal = Decimal(0)
    volatility_auction_s: int = 0
    random_end_s: int = 0
    allocation: Allocation = Allocation.PRICE_TIME
    calendar: str = Calendar.ROUND_THE_CLOCK


def instrument_list(*, listing: Listing, actor: str) -> Instrument:
    """List an instrument or change its rules, and tell the engine; the same again changes nothing.

    It begins closed, until its calendar next opens it or officers do. Raises `Invalid` for sizes
    that do not come out in whole base units, `Conflict` when the engine refuses,
    `EngineUnavailable` (the row stands then, and the sweeper tells the engine).
    """
    return _write(listing.id, _row_values(listing), actor=actor, action="instrument.listed")


def instrument_rebase(*, instrument_id: int, base_price_ticks: int, actor: str) -> Instrument:
    """Give an instrument a new base price, and with it a new band; the same changes nothing.

    The engine cancels the resting orders outside the new band. Raises as `instrument_list`, and
    `Invalid` for a base price off the instrument's tick.
    """
    row = Instrument.objects.get(id=instrument_id)
    values = _band_values(base_price_ticks, row.band_ppm, row.definition().tick_table)
    return _write(instrument_id, values, actor=actor, action="instrument.rebased")


def _write(instrument_id: int, values: dict[str, Any], *, actor: str, action: str) -> Instrument:
    with transaction.atomic():
        row = instrument_lock(instrument_id)
        if row is None:
            row = Instrument(id=instrument_id, **values)
        if row._state.adding or any(getattr(row, name) != values[name] for name in values):
            for name, value in values.items():
                setattr(row, name, value)
            row.defined_sequence = None
            row.save()
            compliance.audit_append(
                body=BODY,
                actor=actor,
                action=action,
                subject=f"instrument:{row.symbol}",
                detail={name: str(value) for name, value in values.items()},
            )
    if row.defined_sequence is None:
        instrument_define(instrument_id=instrument_id)
    return Instrument.objects.get(id=instrument_id)


def instrument_define(*, instrument_id: int) -> None:
    """Tell the engine an instrument's rules as they stand; may run any time. Raises as above."""
    row = Instrument.objects.get(id=instrument_id)
    command: DefineInstrument = row.definition()
    answer = engine().send(command)
    first = answer.events[0]
    if isinstance(first, Refused) and first.code != Refusal.UNCHANGED:
        raise Conflict(f"engine refused instrument {row.symbol}: {first.code} {first.detail}")
    assert isinstance(first, InstrumentDefined | Refused), f"unexpected answer {first}"
    # Rules changed meanwhile are told by whoever changed them.
    with transaction.atomic():
        now = instrument_lock(instrument_id)
        if now is not None and now.definition() == command:
            now.defined_sequence = answer.sequence
            now.save(update_fields=["defined_sequence"])


def _row_values(listing: Listing) -> dict[str, Any]:
    base, quote = (
        custody.asset_get(code=code) for code in (listing.base_asset, listing.quote_asset)
    )
    tick, lot = listing.tick_size, listing.lot_size
    if not (tick.is_finite() and lot.is_finite() and tick > 0 and lot > 0):
        raise Invalid(f"tick {tick} and lot {lot} must be positive decimals")
    if listing.calendar not in Calendar.values:
        raise Invalid(f"calendar {listing.calendar!r}: expected one of {Calendar.values}")
    table = tuple(
        (_whole("a price of the tick table", start / tick), _whole("its step", step / tick))
        for start, step in listing.tick_table
    )
    base_ticks = _whole("base_price in ticks", (listing.base_price or 0) / tick)
    band_ppm = _ppm("band", listing.band)
    return {
        "symbol": listing.symbol,
        "base_asset_id": base.id,
        "quote_asset_id": quote.id,
        "unit": listing.unit,
        "tick_size": tick,
        "lot_size": lot,
        "tick_table": [list(pair) for pair in table],
        "base_units_per_lot": _whole("lot", lot.scaleb(base.decimals)),
        "quote_units_per_tick_lot": _whole("tick times lot", (tick * lot).scaleb(quote.decimals)),
        "instrument_class": listing.instrument_class,
        "quantity_lots_max": _whole("quantity_max in lots", listing.quantity_max / lot),
        "band_ppm": band_ppm,
        "maker_fee_ppm": listing.maker_fee_ppm,
        "taker_fee_ppm": listing.taker_fee_ppm,
        "fee_tiers": [list(rates) for rates in listing.fee_tiers],
        "notional_units_max": _whole("value_max", listing.value_max.scaleb(quote.decimals)),
        "collar_ppm": _ppm("collar", listing.collar),
        "dynamic_ppm": _ppm("dynamic", listing.dynamic),
        "closing_dynamic_ppm": _ppm("closing_dynamic", listing.closing_dynamic),
        "static_ppm": _ppm("static", listing.static),
        "volatility_auction_ns": listing.volatility_auction_s * NS_PER_S,
        "random_end_ns": listing.random_end_s * NS_PER_S,
        "allocation": listing.allocation,
        "calendar": listing.calendar,
        **_band_values(base_ticks, band_ppm, table),
    }


def _band_values(
    base_ticks: int, band_ppm: int, table: tuple[tuple[int, int], ...]
) -> dict[str, Any]:
    low, high = band_around(base_ticks, band_ppm, table)
    return {"base_price_ticks": base_ticks, "price_ticks_low": low, "price_ticks_high": high}


def _ppm(name: str, share: Decimal) -> int:
    return _whole(f"{name} in parts per million", share * PARTS_PER_MILLION)


def _whole(name: str, value: Decimal) -> int:
    if value != value.to_integral_value():
        raise Invalid(f"{name} must be a whole number, found {value}")
    return int(value)

"""Listing instruments and moving their phases; the engine's word is final on both."""

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.errors import Conflict, Invalid
from custody import selectors as custody
from exchange.listings.locks import instrument_lock
from exchange.listings.models import Instrument
from matching.client import EngineUnavailable, engine
from matching.protocol.commands import DefineInstrument, SetPhase
from matching.protocol.events import InstrumentDefined, PhaseChanged, Refused
from matching.protocol.refusals import Refusal
from matching.protocol.units import Phase

BODY = "venue"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What the listing committee decides about an instrument; sizes in quote asset and `unit`."""

    id: int
    symbol: str
    base_asset: str
    quote_asset: str
    unit: str
    tick_size: Decimal
    lot_size: Decimal
    instrument_class: int
    quantity_max: Decimal
    price_low: Decimal | None = None
    price_high: Decimal | None = None
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0


def instrument_list(*, listing: Listing, actor: str) -> Instrument:
    """List an instrument or change its rules, and tell the engine; the same again changes nothing.

    Raises `Invalid` for sizes that do not come out in whole base units, `Conflict` when the engine
    refuses, `EngineUnavailable` (the row stands then, and the sweeper tells the engine).
    """
    values = _row_values(listing)
    with transaction.atomic():
        row = instrument_lock(listing.id)
        if row is None:
            row = Instrument(id=listing.id, **values)
        if row._state.adding or any(getattr(row, name) != values[name] for name in values):
            for name, value in values.items():
                setattr(row, name, value)
            row.defined_sequence = None
            row.save()
            compliance.audit_append(
                body=BODY,
                actor=actor,
                action="instrument.listed",
                subject=f"instrument:{listing.symbol}",
                detail={name: str(value) for name, value in values.items()},
            )
    if row.defined_sequence is None:
        instrument_define(instrument_id=row.id)
    return Instrument.objects.get(id=row.id)


def instrument_define(*, instrument_id: int) -> None:
    """Tell the engine an instrument's rules as they stand; may run any time. Raises as above."""
    row = Instrument.objects.get(id=instrument_id)
    command = _definition(row)
    answer = engine().send(command)
    first = answer.events[0]
    if isinstance(first, Refused) and first.code != Refusal.UNCHANGED:
        raise Conflict(f"engine refused instrument {row.symbol}: {first.code} {first.detail}")
    assert isinstance(first, InstrumentDefined | Refused), f"unexpected answer {first}"
    # Rules changed meanwhile are told by whoever changed them.
    with transaction.atomic():
        now = instrument_lock(instrument_id)
        if now is not None and _definition(now) == command:
            now.defined_sequence = answer.sequence
            now.save(update_fields=["defined_sequence"])


def phase_project(*, instrument_id: int, phase: Phase, sequence: int) -> None:
    """Note a phase that the engine's events tell; an older one than is known changes nothing."""
    rows = Instrument.objects.filter(id=instrument_id, phase_sequence__lt=sequence)
    rows.update(phase=phase, phase_sequence=sequence)


def act_execute(*, act_id: UUID) -> None:
    """Carry out an approved act of the venue: set an instrument's phase. May run any time.

    Raises `EngineUnavailable`; what the engine refuses fails for good.
    """
    act = compliance_selectors.act_get(act_id)
    if act.body != BODY:
        raise Conflict(f"act {act_id} belongs to {act.body}")
    if act.state != act.State.APPROVED:
        return
    if act.kind != "venue.set_phase":
        compliance.act_fail(act_id=act_id, error=f"the venue does not execute {act.kind}")
        return
    answer = engine().send(SetPhase(act.payload["instrument"], Phase(act.payload["phase"])))
    first = answer.events[0]
    if isinstance(first, PhaseChanged) or (
        isinstance(first, Refused) and first.code == Refusal.UNCHANGED
    ):
        compliance.act_complete(act_id=act_id, result={"sequence": answer.sequence})
        return
    assert isinstance(first, Refused), f"unexpected answer {first}"
    if first.code == Refusal.ENGINE_UNAVAILABLE:
        compliance.act_retry(act_id=act_id, error=first.detail)
    else:
        compliance.act_fail(act_id=act_id, error=f"{first.code}: {first.detail}")


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


def _row_values(listing: Listing) -> dict[str, Any]:
    base, quote = (
        custody.asset_get(code=code) for code in (listing.base_asset, listing.quote_asset)
    )
    tick, lot = listing.tick_size, listing.lot_size
    if not (tick.is_finite() and lot.is_finite() and tick > 0 and lot > 0):
        raise Invalid(f"tick {tick} and lot {lot} must be positive decimals")
    return {
        "symbol": listing.symbol,
        "base_asset_id": base.id,
        "quote_asset_id": quote.id,
        "unit": listing.unit,
        "tick_size": tick,
        "lot_size": lot,
        "base_units_per_lot": _whole("lot", lot.scaleb(base.decimals)),
        "quote_units_per_tick_lot": _whole("tick times lot", (tick * lot).scaleb(quote.decimals)),
        "instrument_class": listing.instrument_class,
        "quantity_lots_max": _whole("quantity_max in lots", listing.quantity_max / lot),
        "price_ticks_low": _whole("price_low in ticks", (listing.price_low or 0) / tick),
        "price_ticks_high": _whole("price_high in ticks", (listing.price_high or 0) / tick),
        "maker_fee_ppm": listing.maker_fee_ppm,
        "taker_fee_ppm": listing.taker_fee_ppm,
    }


def _whole(name: str, value: Decimal) -> int:
    if value != value.to_integral_value():
        raise Invalid(f"{name} must be a whole number, found {value}")
    return int(value)


def _definition(row: Instrument) -> DefineInstrument:
    return DefineInstrument(
        instrument=row.id,
        base_asset=row.base_asset_id,
        quote_asset=row.quote_asset_id,
        base_units_per_lot=row.base_units_per_lot,
        quote_units_per_tick_lot=row.quote_units_per_tick_lot,
        instrument_class=row.instrument_class,
        quantity_lots_max=row.quantity_lots_max,
        price_ticks_low=row.price_ticks_low,
        price_ticks_high=row.price_ticks_high,
        maker_fee_ppm=row.maker_fee_ppm,
        taker_fee_ppm=row.taker_fee_ppm,
    )

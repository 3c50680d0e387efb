"""Reads of listed instruments, kept for a second in this process: every request needs them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from django.conf import settings

from custody import selectors as custody
from exchange.api.errors import Problem
from exchange.listings.calendars import Session, Transition, day_begin, session_transition
from exchange.listings.decimals import decimal_places
from exchange.listings.models import Calendar, Instrument, Segment, TradingSession
from exchange.listings.terms import AssetTerms, InstrumentTerms, Step
from matching.protocol.refusals import Refusal
from matching.protocol.units import Allocation, Phase

KEPT_S = 1.0
# What would refuse somebody must not be older; nor may everybody who is refused cost a read.
RECENT_S = 0.1


@dataclass(frozen=True, slots=True)
class _Listing:
    loaded_at: float
    by_symbol: Mapping[str, InstrumentTerms]
    by_id: Mapping[int, InstrumentTerms]
    assets: Mapping[int, AssetTerms]


_listing = _Listing(float("-inf"), {}, {}, {})


def instruments(*, fresh: bool = False) -> Mapping[str, InstrumentTerms]:
    """Return all instruments by symbol, at most a second old, or as they are now if `fresh`."""
    return _loaded(0 if fresh else KEPT_S).by_symbol


def instrument_by_symbol(symbol: str) -> InstrumentTerms:
    """Return one instrument. Raises `Problem` unknown_instrument."""
    found = _loaded(KEPT_S).by_symbol.get(symbol) or _loaded(RECENT_S).by_symbol.get(symbol)
    if found is None:
        raise Problem(
            Refusal.UNKNOWN_INSTRUMENT, f"no instrument {symbol[:24]!a} is listed; see /v1/markets"
        )
    return found


def instrument_by_id(instrument_id: int) -> InstrumentTerms:
    """Return the instrument of an engine number. Raises `KeyError`: the engine knows no other."""
    found = _loaded(KEPT_S).by_id.get(instrument_id)
    return found or _loaded(0).by_id[instrument_id]


def price_parse(terms: InstrumentTerms, text: str) -> int:
    """Return ticks. Raises `Problem` price_invalid or price_outside_band.

    A band moves with its base price, so that a price is not refused by one that is a second old,
    but by one of a tenth of a second at most.
    """
    try:
        return terms.price_parse(text)
    except Problem as problem:
        if problem.code != Refusal.PRICE_OUTSIDE_BAND:
            raise
        return _loaded(RECENT_S).by_id[terms.id].price_parse(text)


def transition_latest(calendar: str, at: datetime) -> Transition | None:
    """Return the latest transition of a calendar up to a time; None when no session is known."""
    if calendar == Calendar.ROUND_THE_CLOCK:
        return day_begin(at)
    opens_by = at + settings.MARKETS_OPENING_AUCTION
    begun = TradingSession.objects.filter(calendar=calendar, opens_at__lte=opens_by)
    found = begun.order_by("-opens_at").values_list("date", "opens_at", "closes_at").first()
    return None if found is None else session_transition(Session(*found), at)


def segments() -> Mapping[int, str]:
    """Return the names of all segments by number."""
    return dict(Segment.objects.order_by("id").values_list("id", "name"))


def assets() -> Mapping[int, AssetTerms]:
    """Return all assets by number."""
    return _loaded(KEPT_S).assets


def _loaded(kept_s: float) -> _Listing:
    """Return what is listed, read again unless that was less than so long ago."""
    global _listing
    now = time.monotonic()
    if now - _listing.loaded_at >= kept_s:
        assets = {
            asset.pk: AssetTerms(asset.pk, asset.code, asset.decimals)
            for asset in custody.assets_by_id().values()
        }
        terms = [_terms(row, assets) for row in Instrument.objects.order_by("id")]
        _listing = _Listing(
            now,
            MappingProxyType({each.symbol: each for each in terms}),
            MappingProxyType({each.id: each for each in terms}),
            MappingProxyType(assets),
        )
    return _listing


def _terms(row: Instrument, assets: Mapping[int, AssetTerms]) -> InstrumentTerms:
    tick_places, lot_places = decimal_places(row.tick_size), decimal_places(row.lot_size)
    return InstrumentTerms(
        id=row.id,
        symbol=row.symbol,
        base=assets[row.base_asset_id],
        quote=assets[row.quote_asset_id],
        unit=row.unit,
        tick=Step(int(row.tick_size.scaleb(tick_places)), tick_places),
        lot=Step(int(row.lot_size.scaleb(lot_places)), lot_places),
        base_units_per_lot=row.base_units_per_lot,
        quote_units_per_tick_lot=row.quote_units_per_tick_lot,
        instrument_class=row.instrument_class,
        quantity_lots_max=row.quantity_lots_max,
        tick_table=tuple((start, step) for start, step in row.tick_table),
        base_price_ticks=row.base_price_ticks,
        price_ticks_low=row.price_ticks_low,
        price_ticks_high=row.price_ticks_high,
        maker_fee_ppm=row.maker_fee_ppm,
        taker_fee_ppm=row.taker_fee_ppm,
        fee_tiers=tuple((maker, taker) for maker, taker in row.fee_tiers),
        notional_units_max=int(row.notional_units_max),
        collar_ppm=row.collar_ppm,
        dynamic_ppm=row.dynamic_ppm,
        closing_dynamic_ppm=row.closing_dynamic_ppm,
        static_ppm=row.static_ppm,
        volatility_auction_ns=row.volatility_auction_ns,
        random_end_ns=row.random_end_ns,
        allocation=Allocation(row.allocation),
        phase=Phase(row.phase),
        phase_ends_at_ns=row.phase_ends_at_ns,
        calendar=row.calendar,
    )

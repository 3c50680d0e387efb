"""Instruments: their definition and what a new one forbids."""

from itertools import pairwise

from matching.protocol.commands import DefineInstrument
from matching.protocol.events import InstrumentDefined
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    DURATION_NS_MAX,
    FEE_TIERS_MAX,
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
    TICK_BANDS_MAX,
    UNITS_MAX,
    CancelReason,
    OrderKind,
    Side,
)
from tests.matching.oracle.book import band, end_each, in_band, on_step
from tests.matching.oracle.records import Market, Order, State, must


def define_instrument(state: State, command: DefineInstrument) -> None:
    must(_is_sound(command), Refusal.MALFORMED)
    known = [market for market in state.markets if market.number == command.instrument]
    if known:
        market = known[0]
        same = _identity(command) == _identity(market.definition)
        must(same, Refusal.CONFLICTING_DEFINITION)
        base_before = market.definition.base_price_ticks
        market.definition = command
    else:
        market = Market(command)
        base_before = 0
        state.markets.append(market)
    if command.base_price_ticks not in (0, base_before):
        _shift_segment(state, market, command.base_price_ticks - market.reference)
        market.reference = market.static = command.base_price_ticks
    state.events.append(InstrumentDefined(command))
    forbidden = [order for order in market.orders if not _allows(market, order)]
    end_each(state, market, forbidden, CancelReason.RESTRICTED)


def _shift_segment(state: State, market: Market, ticks: int) -> None:
    """Move what falls are measured from by as much as the index: a new base price is no fall."""
    for segment in state.segments:
        moved = dict(segment.definition.constituents).get(market.number, 0) * ticks
        if segment.base:
            segment.base = max(segment.base + moved, 0)
        if segment.tripped_index:
            segment.tripped_index = max(segment.tripped_index + moved, 0)


def _allows(market: Market, order: Order) -> bool:
    """Tell whether band and tick table leave an order where it is."""
    prices = [order.price] if order.price else []
    if order.waits_for_stop and order.kind is not OrderKind.TRAILING_STOP:
        prices.append(order.stop)
    capped = not order.price and order.side is Side.BUY
    if capped and not order.waits_for_stop and order.cap < band(market)[1]:
        return False
    return all(in_band(market, price) and on_step(market, price) for price in prices)


def _identity(definition: DefineInstrument) -> tuple[int, ...]:
    return (
        definition.base_asset,
        definition.quote_asset,
        definition.base_units_per_lot,
        definition.quote_units_per_tick_lot,
        definition.instrument_class,
    )


def _is_sound(command: DefineInstrument) -> bool:
    low, high = command.price_ticks_low, command.price_ticks_high
    ppms = (
        command.collar_ppm,
        command.dynamic_ppm,
        command.closing_dynamic_ppm,
        command.static_ppm,
    )
    tiers = ((command.maker_fee_ppm, command.taker_fee_ppm), *command.fee_tiers)
    return (
        0 < command.instrument <= UNITS_MAX
        and all(0 < number <= UNITS_MAX for number in _identity(command))
        and command.base_asset != command.quote_asset
        and command.instrument_class.bit_count() == 1
        and 0 < command.quantity_lots_max <= QUANTITY_LOTS_MAX
        and 0 <= low <= PRICE_TICKS_MAX
        and 0 <= high <= PRICE_TICKS_MAX
        and (not high or low <= high)
        and len(command.fee_tiers) <= FEE_TIERS_MAX
        and all(-PARTS_PER_MILLION <= maker <= PARTS_PER_MILLION for maker, _ in tiers)
        and all(0 <= taker <= PARTS_PER_MILLION for _, taker in tiers)
        and _is_tick_table(command.tick_table)
        and 0 <= command.base_price_ticks <= PRICE_TICKS_MAX
        and 0 <= command.notional_units_max <= UNITS_MAX
        and all(0 <= ppm <= PARTS_PER_MILLION for ppm in ppms)
        and 0 <= command.volatility_auction_ns <= DURATION_NS_MAX
        and 0 <= command.random_end_ns <= DURATION_NS_MAX
        and (command.volatility_auction_ns > 0 or not any(ppms[1:]))
    )


def _is_tick_table(table: tuple[tuple[int, int], ...]) -> bool:
    starts = [start for start, _ in table]
    return not table or (
        len(table) <= TICK_BANDS_MAX
        and starts[0] == 0
        and starts[-1] <= PRICE_TICKS_MAX
        and all(low < high for low, high in pairwise(starts))
        and all(0 < step <= PRICE_TICKS_MAX for _, step in table)
    )

"""An instrument's rules as an order meets them: steps, band, collar, bounds, fees, holds."""

from matching.protocol.commands import DefineInstrument
from matching.protocol.units import (
    FEE_TIERS_MAX,
    PARTS_PER_MILLION,
    PRICE_TICKS_MAX,
    UNITS_MAX,
    Interruption,
    Side,
    price_step_ticks,
)

_BUY = Side.BUY


class Rules:
    """An instrument's definition, spread out as the way of an order needs it."""

    __slots__ = (
        "base_asset",
        "base_units_per_lot",
        "bound_high",
        "bound_low",
        "buy_high",
        "class_bit",
        "definition",
        "fees",
        "high",
        "instrument",
        "low",
        "notional_units_max",
        "quantity_lots_max",
        "quote_asset",
        "quote_units_per_tick_lot",
        "reference_ticks",
        "sell_low",
        "static_ticks",
        "tick_table",
    )

    def __init__(self) -> None:
        self.reference_ticks = self.static_ticks = 0

    def define(self, definition: DefineInstrument) -> None:
        """Put new rules in force; resting orders keep their fee terms."""
        self.definition = definition
        self.instrument = definition.instrument
        self.base_asset = definition.base_asset
        self.quote_asset = definition.quote_asset
        self.base_units_per_lot = definition.base_units_per_lot
        self.quote_units_per_tick_lot = definition.quote_units_per_tick_lot
        # A plain number: to test a bit of an enumeration costs ten times as much.
        self.class_bit = int(definition.instrument_class)
        self.quantity_lots_max = definition.quantity_lots_max
        self.notional_units_max = definition.notional_units_max or UNITS_MAX
        self.low = definition.price_ticks_low or 1
        self.high = definition.price_ticks_high or PRICE_TICKS_MAX
        self.tick_table = definition.tick_table
        tiers = [(definition.maker_fee_ppm, definition.taker_fee_ppm), *definition.fee_tiers]
        tiers += [tiers[-1]] * (FEE_TIERS_MAX + 1 - len(tiers))
        # Maker's rate, taker's rate, and the rate at which a hold covers both.
        self.fees = [(maker, taker, max(maker, taker, 0)) for maker, taker in tiers]
        self.refer(self.reference_ticks)

    def refer(self, reference_ticks: int) -> None:
        """Make a price the reference of collar and dynamic volatility bound."""
        self.reference_ticks = reference_ticks
        rules = self.definition
        self.buy_high, self.sell_low = PRICE_TICKS_MAX, 1
        if rules.collar_ppm and reference_ticks:
            self.buy_high, self.sell_low = self.collar(reference_ticks)
        low, high = volatility_bounds(reference_ticks, rules.dynamic_ppm)
        static_low, static_high = volatility_bounds(self.static_ticks, rules.static_ppm)
        self.bound_low = max(low, static_low)
        self.bound_high = min(high, static_high)

    def collar(self, reference_ticks: int) -> tuple[int, int]:
        """Return the highest limit to buy and the lowest to sell around a reference."""
        width = reference_ticks * self.definition.collar_ppm // PARTS_PER_MILLION
        return reference_ticks + width, reference_ticks - width

    def exceeded(self, price_ticks: int, reference_ticks: int) -> tuple[Interruption, int]:
        """Return which bound a price lies beyond, and around which reference; the static first."""
        low, high = volatility_bounds(self.static_ticks, self.definition.static_ppm)
        if low <= price_ticks <= high:
            return Interruption.DYNAMIC, reference_ticks
        return Interruption.STATIC, self.static_ticks

    def allows(self, price_ticks: int) -> bool:
        """Tell whether a price lies in the band and on the tick table."""
        if not self.low <= price_ticks <= self.high:
            return False
        return price_ticks % price_step_ticks(self.tick_table, price_ticks) == 0

    def step_down(self, price_ticks: int) -> int:
        """Return a price rounded down to its step."""
        return price_ticks - price_ticks % price_step_ticks(self.tick_table, price_ticks)

    def hold_units(self, side: Side, price_ticks: int, lots: int, hold_ppm: int) -> int:
        """Return the exact hold of `lots` open at a limit: base to sell, quote and fee to buy.

        The fee part is rounded down (the member gains under one unit). It still covers every fill:
        for any split of the open notional a + b, floor(a r) + floor(b r) <= floor((a + b) r), and
        no fill is dearer than the limit or charged above r = max(maker, taker, 0).
        """
        if side is not _BUY:
            return lots * self.base_units_per_lot
        notional = price_ticks * lots * self.quote_units_per_tick_lot
        return notional + notional * hold_ppm // PARTS_PER_MILLION


def volatility_bounds(reference_ticks: int, ppm: int) -> tuple[int, int]:
    """Return the lowest and highest price less than `ppm` away; all prices without a bound.

    KRX's volatility interruption: a price that far from the reference is interrupted.
    """
    if not ppm or not reference_ticks:
        return 1, PRICE_TICKS_MAX
    width = (reference_ticks * ppm - 1) // PARTS_PER_MILLION
    return reference_ticks - width, reference_ticks + width

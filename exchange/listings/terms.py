"""An instrument as the doors use it: strings to ticks and lots and back, and what may be ordered.

What must not live here: the database (selectors.py), HTTP.
"""

from dataclasses import dataclass

from exchange.api.errors import Problem
from exchange.listings.decimals import decimal_format, decimal_parse
from exchange.listings.ticks import TickTable
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
    UNITS_MAX,
    Allocation,
    Phase,
    price_step_ticks,
)


@dataclass(frozen=True, slots=True)
class AssetTerms:
    """An asset's code and its decimals in engine, ledger and chain."""

    id: int
    code: str
    decimals: int

    def format(self, amount_units: int) -> str:
        """Return base units as a decimal string of the asset's unit of account."""
        return decimal_format(amount_units, self.decimals)


@dataclass(frozen=True, slots=True)
class Step:
    """The step of prices or quantities: `size` of 10 ** -`places` each."""

    size: int
    places: int

    def parse(self, text: str) -> int | None:
        """Return how many steps `text` is; None when it is malformed, no multiple, or zero."""
        scaled = decimal_parse(text, self.places)
        if not scaled or scaled % self.size:
            return None
        return scaled // self.size

    def format(self, steps: int) -> str:
        """Return a number of steps as a decimal string."""
        return decimal_format(steps * self.size, self.places)


@dataclass(frozen=True, slots=True)
class InstrumentTerms:
    """The rules of one market; `phase` is as last projected, the engine's own decides."""

    id: int
    symbol: str
    base: AssetTerms
    quote: AssetTerms
    unit: str
    tick: Step
    lot: Step
    base_units_per_lot: int
    quote_units_per_tick_lot: int
    instrument_class: int
    quantity_lots_max: int
    tick_table: TickTable
    base_price_ticks: int
    price_ticks_low: int
    price_ticks_high: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    phase: Phase
    calendar: str
    fee_tiers: tuple[tuple[int, int], ...] = ()
    notional_units_max: int = 0
    collar_ppm: int = 0
    dynamic_ppm: int = 0
    closing_dynamic_ppm: int = 0
    static_ppm: int = 0
    volatility_auction_ns: int = 0
    random_end_ns: int = 0
    allocation: Allocation = Allocation.PRICE_TIME
    phase_ends_at_ns: int = 0

    def fees(self, tier: int) -> tuple[int, int]:
        """Return maker's and taker's rate of a fee tier; the last tier's beyond it."""
        tiers = ((self.maker_fee_ppm, self.taker_fee_ppm), *self.fee_tiers)
        return tiers[min(tier, len(self.fee_tiers))]

    def price_parse(self, text: str) -> int:
        """Return ticks. Raises `Problem` price_invalid or price_outside_band."""
        ticks = self._ticks("price", text)
        step = price_step_ticks(self.tick_table, ticks)
        if ticks % step:
            raise Problem(
                Refusal.PRICE_INVALID,
                f"price {text} is not a multiple of {self.tick.format(step)}, "
                "the step of the tick table there",
            )
        low, high = self.price_ticks_low, self.price_ticks_high
        if ticks < low or (high and ticks > high):
            raise Problem(
                Refusal.PRICE_OUTSIDE_BAND,
                f"price {text} lies outside {self.tick.format(low)} to "
                f"{self.tick.format(high) if high else 'any'}",
            )
        return ticks

    def distance_parse(self, text: str) -> int:
        """Return the ticks of a distance between prices. Raises `Problem` price_invalid."""
        return self._ticks("distance", text)

    def _ticks(self, what: str, text: str) -> int:
        ticks = self.tick.parse(text)
        if ticks is None or ticks > PRICE_TICKS_MAX:
            raise Problem(
                Refusal.PRICE_INVALID,
                f"{what} {text[:40]!a} is not a positive multiple of the tick "
                f"{self.tick.format(1)} with at most {self.tick.places} decimal places",
            )
        return ticks

    def quantity_parse(self, text: str) -> int:
        """Return lots. Raises `Problem` quantity_invalid or quantity_too_large."""
        lots = self.lot.parse(text)
        if lots is None or lots > QUANTITY_LOTS_MAX:
            raise Problem(
                Refusal.QUANTITY_INVALID,
                f"quantity {text[:40]!a} is not a positive multiple of the lot "
                f"{self.lot.format(1)} {self.unit} with at most {self.lot.places} decimal places",
            )
        if lots > self.quantity_lots_max:
            raise Problem(
                Refusal.QUANTITY_TOO_LARGE,
                f"quantity {text} is above {self.lot.format(self.quantity_lots_max)} {self.unit}",
            )
        return lots

    def value_check(self, price_ticks: int, quantity_lots: int) -> None:
        """Raise `Problem` amount_overflow when an amount of the order would not fit in 63 bits."""
        quote_units = price_ticks * quantity_lots * self.quote_units_per_tick_lot
        if max(quote_units, quantity_lots * self.base_units_per_lot) > UNITS_MAX:
            raise Problem(Refusal.AMOUNT_OVERFLOW, "price times quantity is beyond all bounds")

"""The call auction: its price, who meets whom, and the trade."""

from matching.protocol.events import AuctionUncrossed
from matching.protocol.units import FillKind, Side
from tests.matching.oracle.book import by_number, end_pair, in_band, meets, on_step_below, replenish
from tests.matching.oracle.fills import fill, prevent
from tests.matching.oracle.records import AUCTIONS, Market, Order, Place, State


def willing(market: Market, side: Side, price: int) -> list[Order]:
    """Return who would trade at a price: at any price first, then the best limits, by time."""
    orders = [
        order
        for order in market.orders
        if order.side is side
        and (
            order.place is Place.ANY_PRICE
            or (order.place is Place.LEVELS and meets(side, order.price, price))
        )
    ]
    sign = -1 if side is Side.BUY else 1
    return sorted(
        orders, key=lambda order: (order.place is not Place.ANY_PRICE, sign * order.price)
    )


def quantities(market: Market, price: int) -> tuple[int, int]:
    """Return the lots that would be bought and sold at a price, hidden ones included."""
    bought = sum(order.lots for order in willing(market, Side.BUY, price))
    sold = sum(order.lots for order in willing(market, Side.SELL, price))
    return bought, sold


def indicative(market: Market) -> tuple[int, int, int]:
    """Return price, quantity and signed surplus of an auction that ended now; zeros for none.

    The largest quantity, then the smallest surplus, then market pressure, then the reference.
    """
    limits = sorted({order.price for order in market.orders if order.place is Place.LEVELS})
    if not limits and in_band(market, on_step_below(market, market.reference)):
        limits = [on_step_below(market, market.reference)]
    found = [(price, *quantities(market, price)) for price in limits]
    largest = max((min(bought, sold) for _, bought, sold in found), default=0)
    if not largest:
        return 0, 0, 0
    found = [each for each in found if min(each[1], each[2]) == largest]
    smallest = min(abs(bought - sold) for _, bought, sold in found)
    found = [each for each in found if abs(each[1] - each[2]) == smallest]
    lowest, highest = found[0][0], found[-1][0]
    if all(bought > sold for _, bought, sold in found):
        price = highest
    elif all(bought < sold for _, bought, sold in found):
        price = lowest
    else:
        price = _nearest(market, lowest, highest)
    bought, sold = quantities(market, price)
    return price, min(bought, sold), bought - sold


def _nearest(market: Market, lowest: int, highest: int) -> int:
    """Return the price nearest to the reference between two limits."""
    if market.reference <= lowest:
        return lowest
    if market.reference >= highest:
        return highest
    return max(lowest, on_step_below(market, market.reference))


def uncross(state: State, market: Market) -> None:
    """Trade at the auction's price; begin anew as long as orders of one holder meet."""
    price, _, _ = indicative(market)
    pairs, met_own = _pair_off(state, market, price)
    while met_own:
        price, _, _ = indicative(market)
        pairs, met_own = _pair_off(state, market, price)
    quantity = sum(lots for _, _, lots in pairs)
    if pairs or market.phase in AUCTIONS:
        state.events.append(AuctionUncrossed(market.number, price, quantity))
    for older, younger, lots in pairs:
        ppm = (max(older.maker_ppm, 0), max(younger.maker_ppm, 0))
        fill(state, market, older, younger, price, lots, ppm, FillKind.AUCTION)
        for order in (older, younger):
            replenish(state, market, order)
            end_pair(state, market, order)
    if pairs:
        market.static = price


def _pair_off(
    state: State, market: Market, price: int
) -> tuple[list[tuple[Order, Order, int]], bool]:
    """Return who meets whom, (older, younger, lots), and whether orders of one holder met.

    Those are kept apart by the younger one's prevention, here and now.
    """
    pairs: list[tuple[Order, Order, int]] = []
    met_own = False
    buys = willing(market, Side.BUY, price) if price else []
    sells = willing(market, Side.SELL, price) if price else []
    left = {order.number: order.lots for order in buys + sells}
    while buys and sells:
        older, younger = by_number((buys[0], sells[0]))
        lots = min(left[older.number], left[younger.number])
        if older.account.holder is younger.account.holder:
            met_own = True
            before = (older.lots, younger.lots)
            prevent(state, market, older, younger, lots)
            left[older.number] -= before[0] - older.lots
            left[younger.number] -= before[1] - younger.lots
        else:
            pairs.append((older, younger, lots))
            left[older.number] -= lots
            left[younger.number] -= lots
        buys = [order for order in buys if left[order.number] and not order.closed]
        sells = [order for order in sells if left[order.number] and not order.closed]
    return pairs, met_own

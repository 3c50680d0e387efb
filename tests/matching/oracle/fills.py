"""Fills and their fees, and what self-trade prevention does instead of one."""

from matching.protocol.events import Filled, OrderReduced
from matching.protocol.units import CancelReason, FillKind, SelfTradePrevention, Side
from tests.matching.oracle.book import end, end_pair
from tests.matching.oracle.holdings import fee, move, notional, revenue
from tests.matching.oracle.records import Account, Market, Order, State

NEWEST, OLDEST = SelfTradePrevention.CANCEL_NEWEST, SelfTradePrevention.CANCEL_OLDEST
BOTH = SelfTradePrevention.CANCEL_BOTH


def fees(quote: int, maker_ppm: int, taker_ppm: int) -> tuple[int, int]:
    """Return the maker's and the taker's fee; a rebate is at most the taker's fee."""
    taker_fee = fee(quote, taker_ppm)
    if maker_ppm < 0:
        return -min(fee(quote, -maker_ppm), taker_fee), taker_fee
    return fee(quote, maker_ppm), taker_fee


def fill(
    state: State,
    market: Market,
    maker: Order,
    taker: Order,
    price: int,
    lots: int,
    ppm: tuple[int, int],
    kind: FillKind,
) -> int:
    """Trade between two orders and return what the taker paid or got less in quote."""
    quote = notional(market, price, lots)
    maker_fee, taker_fee = fees(quote, *ppm)
    for order in (maker, taker):
        order.lots -= lots
        order.shown = max(0, order.shown - lots)
        order.closed = not order.lots
        if order.closed and order in market.orders:
            market.orders.remove(order)
    state.fills += 1
    base = lots * market.definition.base_units_per_lot
    state.events.append(
        Filled(
            state.fills,
            market.number,
            price,
            lots,
            base,
            quote,
            taker.side,
            maker.number,
            taker.number,
            maker.account.number,
            taker.account.number,
            maker_fee,
            taker_fee,
            maker.lots,
            taker.lots,
            kind,
        )
    )
    buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
    exchange(state, market, buyer.account, seller.account, base, quote)
    pay_fee(state, market, maker.account, maker_fee)
    pay_fee(state, market, taker.account, taker_fee)
    market.last = market.reference = price
    return quote + taker_fee


def exchange(
    state: State, market: Market, buyer: Account, seller: Account, base: int, quote: int
) -> None:
    """Move base to the buyer and quote to the seller."""
    move(buyer, market.definition.base_asset, base)
    move(seller, market.definition.base_asset, -base)
    move(seller, market.definition.quote_asset, quote)
    move(buyer, market.definition.quote_asset, -quote)


def pay_fee(state: State, market: Market, account: Account, units: int) -> None:
    """Move a fee (a negative one is a rebate) to the revenue account."""
    house = revenue(state)
    assert house is not None
    move(account, market.definition.quote_asset, -units)
    move(house, market.definition.quote_asset, units)


def prevent(state: State, market: Market, older: Order, newer: Order, lots: int) -> None:
    """Keep two orders of one holder apart as the newer one asks; `lots` would have traded."""
    prevention = newer.accepted.self_trade_prevention
    if prevention in (OLDEST, BOTH):
        end(state, market, older, CancelReason.SELF_TRADE)
    if prevention in (NEWEST, BOTH):
        end(state, market, newer, CancelReason.SELF_TRADE)
    if prevention is SelfTradePrevention.REDUCE_BOTH:
        for order in (older, newer):
            reduce(state, market, order, lots)
            if order.lots:
                end_pair(state, market, order)
            else:
                end(state, market, order, CancelReason.SELF_TRADE)


def reduce(state: State, market: Market, order: Order, lots: int) -> None:
    """Take lots off an order in its place, what is hidden first."""
    order.lots -= lots
    order.shown = min(order.shown, order.lots)
    state.events.append(
        OrderReduced(order.number, order.account.number, market.number, lots, order.lots)
    )

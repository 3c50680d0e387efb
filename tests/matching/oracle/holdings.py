"""Who has what: accounts, holds and what is available, worked out anew at every question."""

from matching.protocol.refusals import Refusal
from matching.protocol.units import PARTS_PER_MILLION, AccountKind, Side
from tests.matching.oracle.records import (
    Account,
    Holder,
    Market,
    Order,
    Place,
    RefusedError,
    Route,
    State,
)


def find_account(state: State, number: int) -> Account:
    """Return the account, or refuse the command."""
    for account in state.accounts:
        if account.number == number:
            return account
    raise RefusedError(Refusal.UNKNOWN_ACCOUNT)


def find_market(state: State, number: int) -> Market:
    """Return the instrument, or refuse the command."""
    for market in state.markets:
        if market.number == number:
            return market
    raise RefusedError(Refusal.UNKNOWN_INSTRUMENT)


def holder_of(state: State, number: int) -> Holder:
    """Return the holder, who begins with no rights."""
    for holder in state.holders:
        if holder.number == number:
            return holder
    state.holders.append(Holder(number))
    return state.holders[-1]


def revenue(state: State) -> Account | None:
    for account in state.accounts:
        if account.kind is AccountKind.REVENUE:
            return account
    return None


def move(account: Account, asset: int, units: int) -> None:
    account.units[asset] = account.units.get(asset, 0) + units


def outstanding(state: State, asset: int) -> int:
    return sum(account.units.get(asset, 0) for account in state.accounts)


def open_orders(state: State, account: Account) -> list[tuple[Market, Order]]:
    """Return an account's open orders by number."""
    return sorted(
        (
            (market, order)
            for market in state.markets
            for order in market.orders
            if order.account is account
        ),
        key=lambda found: found[1].number,
    )


def rates(market: Market, holder: Holder) -> tuple[int, int]:
    """Return the (maker, taker) rates of the holder's tier."""
    definition = market.definition
    if holder.tier == 0 or not definition.fee_tiers:
        return definition.maker_fee_ppm, definition.taker_fee_ppm
    return definition.fee_tiers[min(holder.tier, len(definition.fee_tiers)) - 1]


def fee(quote: int, ppm: int) -> int:
    return quote * ppm // PARTS_PER_MILLION


def notional(market: Market, price: int, lots: int) -> int:
    return price * lots * market.definition.quote_units_per_tick_lot


def hold_of(market: Market, side: Side, price: int, lots: int, ppm: int) -> tuple[int, int]:
    """Return the asset and units that hold so many lots at a price."""
    definition = market.definition
    if side is Side.SELL:
        return definition.base_asset, lots * definition.base_units_per_lot
    quote = notional(market, price, lots)
    return definition.quote_asset, quote + fee(quote, ppm)


def order_hold(market: Market, order: Order) -> tuple[int, int]:
    """Return what an open order holds; a paired stop only what the other's hold does not cover."""
    asset, units = hold_of(market, order.side, order.price or order.cap, order.lots, order.hold_ppm)
    if order.pair and order.place is Place.PARKED:
        other = partner(market, order)
        return asset, max(0, units - order_hold(market, other)[1]) if other else units
    return asset, units


def partner(market: Market, order: Order) -> Order | None:
    """Return the other order of its pair."""
    for other in market.orders:
        if order.pair and other.number == order.pair:
            return other
    return None


def route_hold(state: State, route: Route) -> tuple[int, int]:
    command = route.command
    market = find_market(state, command.instrument)
    return hold_of(market, command.side, command.price_ticks, route.lots, command.fee_ppm)


def held(state: State, account: Account, asset: int) -> int:
    """Return what the account's orders and routes hold of an asset."""
    return sum(
        units
        for held_asset, units in (
            *(
                order_hold(market, order)
                for market in state.markets
                for order in market.orders
                if order.account is account
            ),
            *(
                route_hold(state, route)
                for route in state.routes
                if route.command.account == account.number
            ),
        )
        if held_asset == asset
    )


def available(state: State, account: Account, asset: int) -> int:
    return account.units.get(asset, 0) - held(state, account, asset)

"""Units that come, go and change hands without an order, each once per reference."""

import re
from collections.abc import Callable
from typing import Any

from matching.protocol.commands import (
    AllocateCash,
    CompensateFill,
    Convert,
    Credit,
    Debit,
    Referenced,
    SplitHoldings,
    Transfer,
)
from matching.protocol.events import (
    CashAllocated,
    Converted,
    Credited,
    Debited,
    FillCompensated,
    Filled,
    HoldingAdjusted,
    HoldingsSplit,
    ReferenceRepeated,
    Transferred,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CHARGES_MAX,
    PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
    REFERENCE_PATTERN,
    SPLIT_MAX,
    UNITS_MAX,
    AccountKind,
    FillKind,
    Side,
)
from tests.matching.oracle.fills import exchange
from tests.matching.oracle.holdings import (
    available,
    find_account,
    find_market,
    move,
    notional,
    outstanding,
)
from tests.matching.oracle.records import Market, Movement, State, must


def once(
    apply: Callable[[State, Any], None],
) -> Callable[[State, Any], None]:
    """Let a command be applied once under its reference; another content is refused."""

    def applied(state: State, command: Referenced) -> None:
        for known in state.movements:
            if known.command.reference == command.reference:
                must(known.command == command, Refusal.REFERENCE_REUSED)
                repeated = ReferenceRepeated(command.reference, known.sequence)
                state.events.append(repeated)
                return
        must(re.fullmatch(REFERENCE_PATTERN, command.reference), Refusal.MALFORMED)
        apply(state, command)
        state.movements.append(Movement(command, state.sequence))

    return applied


def check_positive(*numbers: int) -> None:
    must(all(0 < number <= UNITS_MAX for number in numbers), Refusal.MALFORMED)


def check_added(state: State, asset: int, units: int) -> None:
    must(outstanding(state, asset) + units <= UNITS_MAX, Refusal.AMOUNT_OVERFLOW)


@once
def credit(state: State, command: Credit) -> None:
    check_positive(command.asset, command.amount_units)
    account = find_account(state, command.account)
    check_added(state, command.asset, command.amount_units)
    move(account, command.asset, command.amount_units)
    state.events.append(
        Credited(account.number, command.asset, command.amount_units, command.reference)
    )


@once
def debit(state: State, command: Debit) -> None:
    check_positive(command.asset, command.amount_units)
    account = find_account(state, command.account)
    names = {charge.name for charge in command.charges} - {""}
    must(len(command.charges) <= CHARGES_MAX, Refusal.MALFORMED)
    must(len(names) == len(command.charges), Refusal.MALFORMED)
    for charge in command.charges:
        name = f"{command.reference}:{charge.name}"
        must(re.fullmatch(REFERENCE_PATTERN, name), Refusal.MALFORMED)
        check_positive(charge.asset, charge.amount_units)
    for asset in {taken.asset for taken in command.takings}:
        units = sum(taken.amount_units for taken in command.takings if taken.asset == asset)
        must(units <= available(state, account, asset), Refusal.INSUFFICIENT_BALANCE)
    for taken in command.takings:
        move(account, taken.asset, -taken.amount_units)
        name = command.reference
        if taken is not command:
            name = f"{command.reference}:{taken.name}"  # type: ignore[union-attr]
        state.events.append(Debited(account.number, taken.asset, taken.amount_units, name))


@once
def transfer(state: State, command: Transfer) -> None:
    check_positive(command.from_account, command.to_account, command.asset, command.amount_units)
    must(command.from_account != command.to_account, Refusal.MALFORMED)
    giver = find_account(state, command.from_account)
    taker = find_account(state, command.to_account)
    for account in (giver, taker):
        must(account.kind is not AccountKind.REVENUE, Refusal.ACCOUNT_MAY_NOT_TRADE)
    must(not giver.holder.frozen, Refusal.FROZEN)
    free = available(state, giver, command.asset)
    must(command.amount_units <= free, Refusal.INSUFFICIENT_BALANCE)
    move(giver, command.asset, -command.amount_units)
    move(taker, command.asset, command.amount_units)
    state.events.append(
        Transferred(
            giver.number, taker.number, command.asset, command.amount_units, command.reference
        )
    )


@once
def convert(state: State, command: Convert) -> None:
    check_positive(command.account, command.provider, command.sold_asset, command.sold_units)
    check_positive(command.bought_asset, command.bought_units)
    must(command.sold_asset != command.bought_asset, Refusal.MALFORMED)
    account = find_account(state, command.account)
    provider = find_account(state, command.provider)
    must(account.kind is AccountKind.MEMBER, Refusal.ACCOUNT_MAY_NOT_TRADE)
    must(provider.kind is AccountKind.MIRROR, Refusal.ACCOUNT_MAY_NOT_TRADE)
    must(not account.holder.frozen, Refusal.FROZEN)
    sold, bought = command.sold_asset, command.bought_asset
    must(command.sold_units <= available(state, account, sold), Refusal.INSUFFICIENT_BALANCE)
    must(command.bought_units <= available(state, provider, bought), Refusal.INSUFFICIENT_BALANCE)
    move(account, sold, -command.sold_units)
    move(provider, sold, command.sold_units)
    move(account, bought, command.bought_units)
    move(provider, bought, -command.bought_units)
    state.events.append(
        Converted(
            command.account,
            command.provider,
            sold,
            command.sold_units,
            bought,
            command.bought_units,
            command.reference,
        )
    )


@once
def allocate_cash(state: State, command: AllocateCash) -> None:
    check_positive(command.account, command.asset, command.amount_units, command.segment)
    account = find_account(state, command.account)
    must(account.kind is not AccountKind.REVENUE, Refusal.ACCOUNT_MAY_NOT_TRADE)
    units = command.amount_units
    if command.inward:
        check_added(state, command.asset, units)
    else:
        free = available(state, account, command.asset)
        must(units <= free, Refusal.INSUFFICIENT_BALANCE)
    move(account, command.asset, units if command.inward else -units)
    state.events.append(
        CashAllocated(
            account.number,
            command.asset,
            units,
            command.segment,
            command.inward,
            command.reference,
        )
    )


@once
def split_holdings(state: State, command: SplitHoldings) -> None:
    asset, numerator, denominator = command.asset, command.numerator, command.denominator
    check_positive(asset)
    must(1 <= numerator <= SPLIT_MAX and 1 <= denominator <= SPLIT_MAX, Refusal.MALFORMED)
    must(numerator != denominator, Refusal.MALFORMED)
    routed = [find_market(state, route.command.instrument) for route in state.routes]
    busy = [market for market in state.markets if market.orders or market in routed]
    must(not any(asset in _assets(market) for market in busy), Refusal.ORDERS_OPEN)
    total = outstanding(state, asset) * numerator // denominator
    must(total <= UNITS_MAX, Refusal.AMOUNT_OVERFLOW)
    for account in sorted(state.accounts, key=lambda account: account.number):
        units = account.units.get(asset, 0)
        new, remainder = divmod(units * numerator, denominator)
        if new != units or remainder:
            move(account, asset, new - units)
            state.events.append(
                HoldingAdjusted(account.number, asset, new - units, remainder, command.reference)
            )
    state.events.append(
        HoldingsSplit(asset, numerator, denominator, outstanding(state, asset), command.reference)
    )


def _assets(market: Market) -> tuple[int, int]:
    return market.definition.base_asset, market.definition.quote_asset


@once
def compensate_fill(state: State, command: CompensateFill) -> None:
    check_positive(command.fill_id, command.instrument, command.buyer, command.seller)
    must(command.fill_id <= state.fills, Refusal.MALFORMED)
    must(command.buyer != command.seller, Refusal.MALFORMED)
    market = find_market(state, command.instrument)
    must(command.fill_id not in state.compensated, Refusal.REFERENCE_REUSED)
    buyer, seller = find_account(state, command.buyer), find_account(state, command.seller)
    for account in (buyer, seller):
        must(account.kind is not AccountKind.REVENUE, Refusal.ACCOUNT_MAY_NOT_TRADE)
    price, lots = command.price_ticks, command.quantity_lots
    must(1 <= price <= PRICE_TICKS_MAX, Refusal.PRICE_INVALID)
    must(1 <= lots <= QUANTITY_LOTS_MAX, Refusal.QUANTITY_INVALID)
    base, quote = lots * market.definition.base_units_per_lot, notional(market, price, lots)
    must(max(base, quote) <= UNITS_MAX, Refusal.AMOUNT_OVERFLOW)
    base_asset, quote_asset = _assets(market)
    must(quote <= available(state, buyer, quote_asset), Refusal.INSUFFICIENT_BALANCE)
    must(base <= available(state, seller, base_asset), Refusal.INSUFFICIENT_BALANCE)
    exchange(state, market, buyer, seller, base, quote)
    state.fills += 1
    state.compensated.append(command.fill_id)
    state.events.append(FillCompensated(command.fill_id, market.number, command.reference))
    state.events.append(
        Filled(
            state.fills,
            market.number,
            price,
            lots,
            base,
            quote,
            Side.BUY,
            0,
            0,
            seller.number,
            buyer.number,
            0,
            0,
            0,
            0,
            FillKind.COMPENSATING,
        )
    )

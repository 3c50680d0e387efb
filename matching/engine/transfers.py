"""Units that change hands without an order: transfers, conversions, splits, compensating trades."""

from matching.engine.references import (
    account_unknown,
    frozen_refusal,
    kind_refusal,
    reference_refusal,
    short_refusal,
)
from matching.engine.state import Events, State, refused
from matching.protocol.commands import CompensateFill, Convert, SplitHoldings, Transfer
from matching.protocol.events import (
    AnyEvent,
    Converted,
    FillCompensated,
    Filled,
    HoldingAdjusted,
    HoldingsSplit,
    Transferred,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    PRICE_TICKS_MAX,
    QUANTITY_LOTS_MAX,
    SPLIT_MAX,
    UNITS_MAX,
    AccountKind,
    FillKind,
    Side,
)

_OWNED = (AccountKind.MEMBER, AccountKind.MIRROR)


def transfer(state: State, sequence: int, command: Transfer) -> Events:
    """Move available units between two accounts."""
    giver, taker, asset, units = (
        command.from_account, command.to_account, command.asset, command.amount_units,
    )  # fmt: skip
    refusal = reference_refusal(state, command, asset=asset, amount_units=units)
    if refusal is None and giver == taker:
        refusal = refused(Refusal.MALFORMED, f"account {giver} cannot transfer to itself")
    refusal = refusal or account_unknown(state, giver, taker)
    if refusal is not None:
        return refusal
    source, target = state.accounts[giver], state.accounts[taker]
    refusal = (
        kind_refusal(source, *_OWNED)
        or kind_refusal(target, *_OWNED)
        or frozen_refusal(source)
        or short_refusal(source, asset, units)
    )
    if refusal is not None:
        return refusal
    source.available[asset] -= units
    target.available[asset] += units
    state.accounts.remember(sequence, command)
    return (Transferred(giver, taker, asset, units, command.reference),)


def convert(state: State, sequence: int, command: Convert) -> Events:
    """Exchange two assets between an account and a provider of currency."""
    sold, bought = command.sold_asset, command.bought_asset
    refusal = reference_refusal(
        state,
        command,
        sold_asset=sold,
        sold_units=command.sold_units,
        bought_asset=bought,
        bought_units=command.bought_units,
    )
    if refusal is None and sold == bought:
        refusal = refused(Refusal.MALFORMED, f"asset {sold} cannot be converted into itself")
    refusal = refusal or account_unknown(state, command.account, command.provider)
    if refusal is not None:
        return refusal
    account, provider = state.accounts[command.account], state.accounts[command.provider]
    refusal = (
        kind_refusal(account, AccountKind.MEMBER)
        or kind_refusal(provider, AccountKind.MIRROR)
        or frozen_refusal(account)
        or short_refusal(account, sold, command.sold_units)
        or short_refusal(provider, bought, command.bought_units)
    )
    if refusal is not None:
        return refusal
    account.available[sold] -= command.sold_units
    provider.available[sold] += command.sold_units
    provider.available[bought] -= command.bought_units
    account.available[bought] += command.bought_units
    state.accounts.remember(sequence, command)
    return (
        Converted(
            account.id, provider.id, sold, command.sold_units, bought, command.bought_units,
            command.reference,
        ),
    )  # fmt: skip


def split_holdings(state: State, sequence: int, command: SplitHoldings) -> Events:
    """Multiply all holdings of an asset, each rounded down: the issuer keeps what that leaves.

    What an account loses by rounding is told as its remainder, so that it can be paid in cash.
    """
    asset, up, down = command.asset, command.numerator, command.denominator
    refusal = reference_refusal(state, command, asset=asset)
    if refusal is not None:
        return refusal
    if not (0 < up <= SPLIT_MAX and 0 < down <= SPLIT_MAX) or up == down:
        return refused(
            Refusal.MALFORMED, f"{up} for {down}: both must be 1 to {SPLIT_MAX}, and differ"
        )
    touched = [
        number
        for number, book in state.books.items()
        if asset in (book.base_asset, book.quote_asset)
    ]
    routed = {route.instrument for route in state.accounts.routes.values()}
    for number in sorted(touched):
        if number in routed or state.books[number].orders():
            return refused(
                Refusal.ORDERS_OPEN, f"instrument {number} has open orders or routes; cancel them"
            )
    accounts = state.accounts
    outstanding = accounts.outstanding.get(asset, 0)
    if outstanding * up // down > UNITS_MAX:
        return refused(
            Refusal.AMOUNT_OVERFLOW,
            f"asset {asset} would have {outstanding * up // down} units, limit {UNITS_MAX}",
        )
    events: list[AnyEvent] = []
    for account in accounts.ordered():
        held = account.available.get(asset, 0)
        after, remainder = divmod(held * up, down)
        if after != held or remainder:
            accounts.change(account.id, asset, after - held)
            events.append(
                HoldingAdjusted(account.id, asset, after - held, remainder, command.reference)
            )
    accounts.remember(sequence, command)
    left = accounts.outstanding.get(asset, 0)
    events.append(HoldingsSplit(asset, up, down, left, command.reference))
    return tuple(events)


def compensate_fill(state: State, sequence: int, command: CompensateFill) -> Events:
    """Let two accounts trade back what they should not have traded, without fees."""
    undone = command.fill_id
    refusal = reference_refusal(state, command, fill_id=undone)
    book = state.books.get(command.instrument)
    if refusal is None and undone > state.fills:
        refusal = refused(Refusal.MALFORMED, f"there is no fill {undone} yet")
    if refusal is None and command.buyer == command.seller:
        refusal = refused(Refusal.MALFORMED, f"account {command.buyer} cannot trade with itself")
    if refusal is None and book is None:
        refusal = refused(
            Refusal.UNKNOWN_INSTRUMENT, f"instrument {command.instrument} is not defined"
        )
    if refusal is None and undone in state.compensated:
        refusal = refused(Refusal.REFERENCE_REUSED, f"fill {undone} was undone before")
    refusal = refusal or account_unknown(state, command.buyer, command.seller)
    if refusal is not None:
        return refusal
    assert book is not None
    buyer, seller = state.accounts[command.buyer], state.accounts[command.seller]
    price, lots = command.price_ticks, command.quantity_lots
    refusal = kind_refusal(buyer, *_OWNED) or kind_refusal(seller, *_OWNED)
    if refusal is None and not 0 < price <= PRICE_TICKS_MAX:
        refusal = refused(Refusal.PRICE_INVALID, f"price must be 1 to {PRICE_TICKS_MAX} ticks")
    if refusal is None and not 0 < lots <= QUANTITY_LOTS_MAX:
        refusal = refused(
            Refusal.QUANTITY_INVALID, f"quantity must be 1 to {QUANTITY_LOTS_MAX} lots"
        )
    if refusal is not None:
        return refusal
    base, quote = lots * book.base_units_per_lot, lots * price * book.quote_units_per_tick_lot
    if base > UNITS_MAX or quote > UNITS_MAX:
        return refused(Refusal.AMOUNT_OVERFLOW, f"{base} for {quote} units, limit {UNITS_MAX}")
    refusal = short_refusal(buyer, book.quote_asset, quote) or short_refusal(
        seller, book.base_asset, base
    )
    if refusal is not None:
        return refusal
    buyer.available[book.quote_asset] -= quote
    seller.available[book.quote_asset] += quote
    seller.available[book.base_asset] -= base
    buyer.available[book.base_asset] += base
    state.fills += 1
    state.compensated.add(undone)
    state.accounts.remember(sequence, command)
    return (
        FillCompensated(undone, book.instrument, command.reference),
        Filled(
            state.fills, book.instrument, price, lots, base, quote, Side.BUY, 0, 0,
            seller.id, buyer.id, 0, 0, 0, 0, FillKind.COMPENSATING,
        ),
    )  # fmt: skip

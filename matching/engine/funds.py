"""Credits and debits: units that enter and leave the engine, each once per reference."""

from collections import defaultdict

from matching.engine.references import (
    account_unknown,
    is_reference,
    reference_refusal,
    short_refusal,
)
from matching.engine.state import Events, State, refused
from matching.protocol.commands import AllocateCash, Credit, Debit
from matching.protocol.events import CashAllocated, Credited, Debited
from matching.protocol.refusals import Refusal
from matching.protocol.units import CHARGES_MAX, REFERENCE_PATTERN, UNITS_MAX, AccountKind


def credit(state: State, sequence: int, command: Credit) -> Events:
    """Add units to an account; the sum outstanding per asset stays within 63 bits."""
    refusal = _refusal(state, command) or _overflow_refusal(state, command)
    if refusal is not None:
        return refusal
    state.accounts.change(command.account, command.asset, command.amount_units)
    state.accounts.remember(sequence, command)
    return (Credited(command.account, command.asset, command.amount_units, command.reference),)


def debit(state: State, sequence: int, command: Debit) -> Events:
    """Take available units and charges from an account, or nothing; what orders hold stays."""
    refusal = _refusal(state, command) or _charges_refusal(command)
    if refusal is not None:
        return refusal
    account, wanted = state.accounts[command.account], defaultdict[int, int](int)
    for taken in command.takings:
        wanted[taken.asset] += taken.amount_units
    for asset, units in wanted.items():
        refusal = short_refusal(account, asset, units)
        if refusal is not None:
            return refusal
    for taken in command.takings:
        state.accounts.change(command.account, taken.asset, -taken.amount_units)
    state.accounts.remember(sequence, command)
    main = Debited(command.account, command.asset, command.amount_units, command.reference)
    charged = (
        Debited(command.account, one.asset, one.amount_units, f"{command.reference}:{one.name}")
        for one in command.charges
    )
    return (main, *charged)


def allocate_cash(state: State, sequence: int, command: AllocateCash) -> Events:
    """Take units out for another engine, or bring in what it gave: one of two steps."""
    refusal = _refusal(state, command, segment=command.segment)
    if refusal is not None:
        return refusal
    account, asset, units = state.accounts[command.account], command.asset, command.amount_units
    if account.kind is AccountKind.REVENUE:
        return refused(Refusal.ACCOUNT_MAY_NOT_TRADE, f"account {account.id} is REVENUE")
    refusal = (
        _overflow_refusal(state, command)
        if command.inward
        else short_refusal(account, asset, units)
    )
    if refusal is not None:
        return refusal
    state.accounts.change(account.id, asset, units if command.inward else -units)
    state.accounts.remember(sequence, command)
    return (
        CashAllocated(account.id, asset, units, command.segment, command.inward, command.reference),
    )


def _charges_refusal(command: Debit) -> Events | None:
    names = {charge.name for charge in command.charges} - {""}
    if len(command.charges) > CHARGES_MAX or len(names) != len(command.charges):
        return refused(Refusal.MALFORMED, f"at most {CHARGES_MAX} charges, each by its own name")
    for charge in command.charges:
        if not is_reference(f"{command.reference}:{charge.name}"):
            return refused(Refusal.MALFORMED, f"reference:name must match {REFERENCE_PATTERN}")
        if not 0 < charge.amount_units <= UNITS_MAX or not 0 < charge.asset <= UNITS_MAX:
            return refused(Refusal.MALFORMED, "a charge's asset and amount must be positive")
    return None


def _refusal(state: State, command: Credit | Debit | AllocateCash, **numbers: int) -> Events | None:
    return reference_refusal(
        state, command, asset=command.asset, amount_units=command.amount_units, **numbers
    ) or account_unknown(state, command.account)


def _overflow_refusal(state: State, command: Credit | AllocateCash) -> Events | None:
    outstanding = state.accounts.outstanding.get(command.asset, 0)
    if outstanding + command.amount_units <= UNITS_MAX:
        return None
    return refused(
        Refusal.AMOUNT_OVERFLOW,
        f"asset {command.asset} has {outstanding} units outstanding, limit {UNITS_MAX}",
    )

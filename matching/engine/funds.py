"""Credits and debits: units that enter and leave the engine, each once per reference."""

import re
from collections import defaultdict

from matching.engine.state import Events, State, refused
from matching.protocol.commands import Credit, Debit
from matching.protocol.events import Credited, Debited, ReferenceRepeated
from matching.protocol.refusals import Refusal
from matching.protocol.units import CHARGES_MAX, REFERENCE_PATTERN, UNITS_MAX

_is_reference = re.compile(REFERENCE_PATTERN).fullmatch


def credit(state: State, sequence: int, command: Credit) -> Events:
    """Add units to an account; the sum outstanding per asset stays within 63 bits."""
    refusal = _refusal(state, command)
    if refusal is not None:
        return refusal
    outstanding = state.accounts.outstanding.get(command.asset, 0)
    if outstanding + command.amount_units > UNITS_MAX:
        return refused(
            Refusal.AMOUNT_OVERFLOW,
            f"asset {command.asset} has {outstanding} units outstanding, limit {UNITS_MAX}",
        )
    state.accounts.move(sequence, command)
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
        available = account.available.get(asset, 0)
        if units > available:
            return refused(
                Refusal.INSUFFICIENT_BALANCE,
                f"debit of {units} units of asset {asset}, available {available}",
            )
    state.accounts.move(sequence, command)
    main = Debited(command.account, command.asset, command.amount_units, command.reference)
    charged = (
        Debited(command.account, one.asset, one.amount_units, f"{command.reference}:{one.name}")
        for one in command.charges
    )
    return (main, *charged)


def _charges_refusal(command: Debit) -> Events | None:
    names = {charge.name for charge in command.charges} - {""}
    if len(command.charges) > CHARGES_MAX or len(names) != len(command.charges):
        return refused(Refusal.MALFORMED, f"at most {CHARGES_MAX} charges, each by its own name")
    for charge in command.charges:
        if not _is_reference(f"{command.reference}:{charge.name}"):
            return refused(Refusal.MALFORMED, f"reference:name must match {REFERENCE_PATTERN}")
        if not 0 < charge.amount_units <= UNITS_MAX or not 0 < charge.asset <= UNITS_MAX:
            return refused(Refusal.MALFORMED, "a charge's asset and amount must be positive")
    return None


def _refusal(state: State, command: Credit | Debit) -> Events | None:
    """Return what stands in the way of a new movement, a repeat included."""
    known = state.accounts.movements.get(command.reference)
    if known is not None:
        if known.command == command:
            return (ReferenceRepeated(command.reference, known.sequence),)
        return refused(
            Refusal.REFERENCE_REUSED,
            f"reference was used at sequence {known.sequence} for another movement",
        )
    if not _is_reference(command.reference):
        return refused(Refusal.MALFORMED, f"reference must match {REFERENCE_PATTERN}")
    if not 0 < command.amount_units <= UNITS_MAX or not 0 < command.asset <= UNITS_MAX:
        return refused(
            Refusal.MALFORMED,
            f"asset {command.asset} and amount {command.amount_units} must be 1 to {UNITS_MAX}",
        )
    if command.account not in state.accounts:
        return refused(Refusal.UNKNOWN_ACCOUNT, f"account {command.account} is not open")
    return None

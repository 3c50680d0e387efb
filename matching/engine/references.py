"""References: what moves units is applied once under its name, however often it is sent."""

import re

from matching.accounts import Account
from matching.engine.state import Events, State, refused
from matching.protocol.commands import Referenced
from matching.protocol.events import ReferenceRepeated
from matching.protocol.refusals import Refusal
from matching.protocol.units import REFERENCE_PATTERN, UNITS_MAX, AccountKind

is_reference = re.compile(REFERENCE_PATTERN).fullmatch


def reference_refusal(state: State, command: Referenced, **numbers: int) -> Events | None:
    """Return what stands in the way of a new movement, a repeat included; `numbers` are from 1."""
    known = state.accounts.movements.get(command.reference)
    if known is not None:
        if known.command == command:
            return (ReferenceRepeated(command.reference, known.sequence),)
        return refused(
            Refusal.REFERENCE_REUSED,
            f"reference was used at sequence {known.sequence} for another movement",
        )
    if not is_reference(command.reference):
        return refused(Refusal.MALFORMED, f"reference must match {REFERENCE_PATTERN}")
    for name, number in numbers.items():
        if not 0 < number <= UNITS_MAX:
            return refused(Refusal.MALFORMED, f"{name} must be 1 to {UNITS_MAX}, found {number}")
    return None


def account_unknown(state: State, *accounts: int) -> Events | None:
    """Return the refusal of the first account that is not open, or None."""
    for account in accounts:
        if account not in state.accounts:
            return refused(Refusal.UNKNOWN_ACCOUNT, f"account {account} is not open")
    return None


def kind_refusal(account: Account, *kinds: AccountKind) -> Events | None:
    """Return the refusal of an account that is of none of these kinds, or None."""
    if account.kind in kinds:
        return None
    return refused(Refusal.ACCOUNT_MAY_NOT_TRADE, f"account {account.id} is {account.kind.name}")


def frozen_refusal(account: Account) -> Events | None:
    """Return the refusal of an account whose holder is frozen, or None."""
    if not account.holder.frozen:
        return None
    return refused(Refusal.FROZEN, f"the holder of account {account.id} is frozen")


def short_refusal(account: Account, asset: int, units: int) -> Events | None:
    """Return the refusal of an account that has too little available, or None."""
    available = account.available.get(asset, 0)
    if units <= available:
        return None
    return refused(
        Refusal.INSUFFICIENT_BALANCE,
        f"account {account.id} needs {units} units of asset {asset}, available {available}",
    )

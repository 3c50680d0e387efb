"""Accounts and eligibility: who may trade which class of instrument."""

from matching.engine.followup import follow_up
from matching.engine.removal import cancel_each
from matching.engine.state import Events, State, refused
from matching.protocol.commands import OpenAccount, SetEligibility, SetFeeTier
from matching.protocol.events import AccountOpened, AnyEvent, EligibilityChanged, FeeTierChanged
from matching.protocol.refusals import Refusal
from matching.protocol.units import FEE_TIERS_MAX, UNITS_MAX, AccountKind, CancelReason


def open_account(state: State, sequence: int, command: OpenAccount) -> Events:
    """Open an account; repeated unchanged it answers alike, holder and kind never change."""
    accounts = state.accounts
    if not 0 < command.account <= UNITS_MAX or not 0 < command.holder <= UNITS_MAX:
        return refused(
            Refusal.MALFORMED,
            f"account {command.account} and holder {command.holder} must be 1 to {UNITS_MAX}",
        )
    known = accounts.get(command.account)
    if known is None:
        if command.kind is AccountKind.REVENUE and accounts.revenue is not None:
            return refused(
                Refusal.CONFLICTING_DEFINITION,
                f"the one revenue account is {accounts.revenue.id}, not {command.account}",
            )
        known = accounts.open(command.account, command.holder, command.kind)
    if (known.holder.id, known.kind) != (command.holder, command.kind):
        return refused(
            Refusal.CONFLICTING_DEFINITION,
            f"account {known.id} has holder {known.holder.id} and kind {known.kind.name} for ever",
        )
    return (AccountOpened(command.account, command.holder, command.kind),)


def set_eligibility(state: State, sequence: int, command: SetEligibility) -> Events:
    """Put a holder's eligibility in force and cancel the resting orders that it forbids.

    Versions rise, so that a late command cannot lift a newer freeze. A holder may be named before
    its first account is opened.
    """
    version, classes = command.version, command.classes
    if not (0 < command.holder <= UNITS_MAX and 0 < version <= UNITS_MAX):
        return refused(
            Refusal.MALFORMED,
            f"holder {command.holder} and version {version} must be 1 to {UNITS_MAX}",
        )
    if not 0 <= classes <= UNITS_MAX:
        return refused(Refusal.MALFORMED, f"classes {classes} must be 0 to {UNITS_MAX}")
    known = state.accounts.holders.get(command.holder)
    changed = EligibilityChanged(command.holder, version, classes, command.frozen)
    if known is not None and version <= known.version:
        if (version, classes, command.frozen) == (known.version, known.classes, known.frozen):
            return (changed,)
        return refused(
            Refusal.STALE_VERSION,
            f"holder {known.id} is at version {known.version}, found {version}",
        )
    holder = state.accounts.holder(command.holder)
    holder.set(version, classes, command.frozen)
    events: list[AnyEvent] = [changed]
    forbidden = [
        order
        for account_id in holder.accounts
        for order in state.accounts[account_id].orders.values()
        if not holder.allowed & state.books[order.accepted.instrument].class_bit
    ]
    cancel_each(state, forbidden, CancelReason.RESTRICTED, events)
    for instrument in sorted({order.accepted.instrument for order in forbidden}):
        follow_up(state, state.books[instrument], events)
    return tuple(events)


def set_fee_tier(state: State, sequence: int, command: SetFeeTier) -> Events:
    """Put a holder into a fee tier; open orders keep the terms they came under."""
    if not 0 < command.holder <= UNITS_MAX or not 0 <= command.tier <= FEE_TIERS_MAX:
        return refused(
            Refusal.MALFORMED,
            f"holder {command.holder} must be 1 to {UNITS_MAX}, tier {command.tier} 0 to "
            f"{FEE_TIERS_MAX}",
        )
    state.accounts.holder(command.holder).tier = command.tier
    return (FeeTierChanged(command.holder, command.tier),)

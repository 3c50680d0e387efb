"""Accounts and holders: who may trade what, and at which rates."""

from matching.protocol.commands import OpenAccount, SetEligibility, SetFeeTier
from matching.protocol.events import AccountOpened, EligibilityChanged, FeeTierChanged
from matching.protocol.refusals import Refusal
from matching.protocol.units import FEE_TIERS_MAX, UNITS_MAX, AccountKind, CancelReason
from tests.matching.oracle.cancelling import end_all
from tests.matching.oracle.holdings import holder_of, revenue
from tests.matching.oracle.records import Account, State, must


def open_account(state: State, command: OpenAccount) -> None:
    must(0 < command.account <= UNITS_MAX, Refusal.MALFORMED)
    must(0 < command.holder <= UNITS_MAX, Refusal.MALFORMED)
    known = [each for each in state.accounts if each.number == command.account]
    if known:
        same = (known[0].holder.number, known[0].kind) == (command.holder, command.kind)
        must(same, Refusal.CONFLICTING_DEFINITION)
    else:
        first = command.kind is not AccountKind.REVENUE or revenue(state) is None
        must(first, Refusal.CONFLICTING_DEFINITION)
        holder = holder_of(state, command.holder)
        state.accounts.append(Account(command.account, holder, command.kind))
    state.events.append(AccountOpened(command.account, command.holder, command.kind))


def set_eligibility(state: State, command: SetEligibility) -> None:
    must(0 < command.holder <= UNITS_MAX, Refusal.MALFORMED)
    must(0 < command.version <= UNITS_MAX, Refusal.MALFORMED)
    must(0 <= command.classes <= UNITS_MAX, Refusal.MALFORMED)
    changed = EligibilityChanged(command.holder, command.version, command.classes, command.frozen)
    holder = holder_of(state, command.holder)
    if command.version <= holder.version:
        same = (command.version, command.classes, command.frozen) == (
            holder.version,
            holder.classes,
            holder.frozen,
        )
        must(same, Refusal.STALE_VERSION)
        state.events.append(changed)
        return
    holder.version, holder.classes, holder.frozen = (
        command.version,
        command.classes,
        command.frozen,
    )
    state.events.append(changed)
    forbidden = [
        (market, order)
        for market in state.markets
        for order in market.orders
        if order.account.holder is holder
        and (holder.frozen or not holder.classes & market.definition.instrument_class)
    ]
    end_all(state, forbidden, CancelReason.RESTRICTED)


def set_fee_tier(state: State, command: SetFeeTier) -> None:
    must(0 < command.holder <= UNITS_MAX, Refusal.MALFORMED)
    must(0 <= command.tier <= FEE_TIERS_MAX, Refusal.MALFORMED)
    holder_of(state, command.holder).tier = command.tier
    state.events.append(FeeTierChanged(command.holder, command.tier))

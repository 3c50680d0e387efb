"""Taking orders out: one, all of a kind, by kill switch, by a heartbeat that failed."""

import re

from matching.protocol.commands import CancelAll, CancelOrder, SetHeartbeat, SetKillSwitch
from matching.protocol.events import (
    HeartbeatMissed,
    HeartbeatSet,
    KillSwitchChanged,
    OrderCancelled,
    OrdersCancelled,
)
from matching.protocol.refusals import Refusal
from matching.protocol.units import (
    CLIENT_ORDER_ID_PATTERN,
    HEARTBEAT_NS_MAX,
    TAG_PATTERN,
    CancelReason,
    Phase,
)
from tests.matching.oracle.book import end
from tests.matching.oracle.holdings import find_account, find_market, open_orders
from tests.matching.oracle.records import Account, Market, Order, State, must


def find_order(state: State, account: int, number: int) -> tuple[Market, Order]:
    """Return an account's open order, or refuse the command."""
    found = [
        (market, order)
        for market in state.markets
        for order in market.orders
        if order.number == number and order.account.number == account
    ]
    must(found, Refusal.UNKNOWN_ORDER)
    return found[0]


def end_all(state: State, found: list[tuple[Market, Order]], reason: CancelReason) -> None:
    """Close these orders by number; one that its pair's end took away already is passed over."""
    for market, order in sorted(found, key=lambda each: each[1].number):
        if not order.closed:
            end(state, market, order, reason)


def cancel_order(state: State, command: CancelOrder) -> None:
    number, name = command.order_id, command.client_order_id
    must((number == 0) != (name == ""), Refusal.MALFORMED)
    must(not name or re.fullmatch(CLIENT_ORDER_ID_PATTERN, name), Refusal.MALFORMED)
    for market in state.markets:
        for order in market.orders:
            if name and (order.account.number, order.accepted.client_order_id) == (
                command.account,
                name,
            ):
                number = order.number
    market, order = find_order(state, command.account, number)
    must(market.phase is not Phase.CLOSED, Refusal.MARKET_CLOSED)
    end(state, market, order, CancelReason.REQUESTED)


def cancel_all(state: State, command: CancelAll) -> None:
    must(command.side in (0, 1, 2), Refusal.MALFORMED)
    must(re.fullmatch(TAG_PATTERN, command.tag), Refusal.MALFORMED)
    if command.account:
        find_account(state, command.account)
    if command.instrument:
        market = find_market(state, command.instrument)
        must(market.phase is not Phase.CLOSED, Refusal.MARKET_CLOSED)
    found = [
        (market, order)
        for market in state.markets
        for order in market.orders
        if market.phase is not Phase.CLOSED
        and command.account in (0, order.account.number)
        and command.instrument in (0, market.number)
        and command.side in (0, order.side)
        and command.tag in ("", order.accepted.terms.tag if order.accepted.terms else "")
    ]
    end_all(state, found, CancelReason.REQUESTED)
    count = sum(isinstance(event, OrderCancelled) for event in state.events)
    state.events.append(OrdersCancelled(command.account, count))


def set_kill_switch(state: State, command: SetKillSwitch) -> None:
    must((command.account == 0) != (command.instrument == 0), Refusal.MALFORMED)
    target: Account | Market
    if command.account:
        target = find_account(state, command.account)
        found = open_orders(state, target)
    else:
        target = find_market(state, command.instrument)
        found = [(target, order) for order in target.orders]
    target.killed = command.engaged
    state.events.append(KillSwitchChanged(command.account, command.instrument, command.engaged))
    if command.engaged:
        end_all(state, found, CancelReason.KILLED)


def set_heartbeat(state: State, command: SetHeartbeat) -> None:
    account = find_account(state, command.account)
    must(0 <= command.timeout_ns <= HEARTBEAT_NS_MAX, Refusal.MALFORMED)
    due_ns = state.now_ns + command.timeout_ns if command.timeout_ns else 0
    account.heartbeat_due_ns = due_ns
    state.events.append(HeartbeatSet(account.number, due_ns))


def miss_heartbeat(state: State, account: Account) -> None:
    account.heartbeat_due_ns = 0
    state.events.append(HeartbeatMissed(account.number))
    end_all(state, open_orders(state, account), CancelReason.DISCONNECTED)

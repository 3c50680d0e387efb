"""Accounts: holders and their eligibility, balances in flight, references and client order ids.

What lives here is who has what. What must not: books, prices, fees, anything known of a person.
"""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from matching.order import Order
from matching.protocol.commands import Referenced
from matching.protocol.events import OrderAccepted
from matching.protocol.units import UNITS_MAX, AccountKind, Side

_NS_PER_HOUR = 3_600_000_000_000
_NS_PER_DAY = 24 * _NS_PER_HOUR
# Korea has been at UTC+9 without summer time since 1988: the trade date needs no time zone data.
_SEOUL_OFFSET_NS = 9 * _NS_PER_HOUR


class Movement(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A credit, debit or the like that was applied, remembered for ever under its reference."""

    sequence: int
    command: Referenced


class Route(msgspec.Struct, gc=False, array_like=True):
    """What is out with a partner exchange, and what its account holds for it."""

    reference: str
    account: int
    order_id: int
    instrument: int
    side: Side
    price_ticks: int
    open_lots: int
    held_units: int
    fee_ppm: int


class Holder:
    """One opaque holder and what it may trade; an unknown holder may trade nothing."""

    __slots__ = ("accounts", "allowed", "classes", "frozen", "id", "tier", "version")

    def __init__(self, holder_id: int) -> None:
        self.id = holder_id
        self.tier = 0
        self.accounts: list[int] = []
        self.set(0, 0, False)

    def set(self, version: int, classes: int, frozen: bool) -> None:
        """Put an eligibility in force; `allowed` are the class bits that it leaves."""
        self.version = version
        self.classes = int(classes)
        self.frozen = frozen
        self.allowed = 0 if frozen else self.classes


class Account:
    """Balances, open orders and client order ids of one account."""

    __slots__ = (
        "available",
        "day",
        "heartbeat_due_ns",
        "held",
        "holder",
        "id",
        "ids",
        "killed",
        "kind",
        "lasting_ids",
        "older_ids",
        "orders",
        "trades",
    )

    def __init__(self, account_id: int, holder: Holder, kind: AccountKind, day: int) -> None:
        self.id = account_id
        self.holder = holder
        self.kind = kind
        self.heartbeat_due_ns = 0
        self.kill(False)
        self.available: defaultdict[int, int] = defaultdict(int)
        self.held: defaultdict[int, int] = defaultdict(int)
        self.orders: dict[int, Order] = {}
        self.day = day
        self.ids: dict[str, OrderAccepted] = {}
        self.older_ids: dict[str, OrderAccepted] = {}
        self.lasting_ids: dict[str, OrderAccepted] = {}

    def kill(self, engaged: bool) -> None:
        """Engage or release the kill switch; `trades` is what it leaves."""
        self.killed = engaged
        self.trades = self.kind is AccountKind.MEMBER and not engaged

    def assets(self) -> list[int]:
        """Return the assets with a balance, in order."""
        return sorted(
            asset
            for asset in self.available.keys() | self.held.keys()
            if self.available.get(asset) or self.held.get(asset)
        )

    def known(self, client_order_id: str, day: int) -> OrderAccepted | None:
        """Return the order placed under a client order id: open, or of this trade date or the last.

        An id of before is taken by a new order once its own has ended.
        """
        self.roll_to(day)
        found = self.ids.get(client_order_id) or self.older_ids.get(client_order_id)
        if found is None:
            found = self.lasting_ids.get(client_order_id)
            if found is not None and found.order_id not in self.orders:
                return None
        return found

    def roll_to(self, day: int) -> None:
        """Begin a trade date: ids of before the last stay known while their orders are open.

        Done when the account is next asked, so that no day begins with a look at all accounts.
        """
        if self.day == day:
            return
        last = self.ids if self.day == day - 1 else {}
        before = self.lasting_ids | self.older_ids | ({} if last else self.ids)
        self.lasting_ids = {
            name: accepted for name, accepted in before.items() if accepted.order_id in self.orders
        }
        self.older_ids, self.ids, self.day = last, {}, day


class Accounts(dict[int, Account]):
    """All accounts by number, and the sum per asset of what was credited and not yet debited."""

    __slots__ = (
        "day_end_ns",
        "holders",
        "movements",
        "outstanding",
        "revenue",
        "routes",
        "trade_day",
    )

    def __init__(self) -> None:
        self.holders: dict[int, Holder] = {}
        self.revenue: Account | None = None
        self.outstanding: defaultdict[int, int] = defaultdict(int)
        self.movements: dict[str, Movement] = {}
        self.routes: dict[str, Route] = {}
        self.trade_day = 0
        self.day_end_ns = 0

    def holder(self, holder_id: int) -> Holder:
        """Return the holder, who is created with no rights when new."""
        holder = self.holders.get(holder_id)
        if holder is None:
            holder = self.holders[holder_id] = Holder(holder_id)
        return holder

    def open(self, account_id: int, holder_id: int, kind: AccountKind) -> Account:
        """Open a new account; the caller has checked that number and kind are free."""
        assert account_id not in self
        account = self[account_id] = Account(
            account_id, self.holder(holder_id), kind, self.trade_day
        )
        account.holder.accounts.append(account_id)
        if kind is AccountKind.REVENUE:
            assert self.revenue is None
            self.revenue = account
        return account

    def remember(self, sequence: int, command: Referenced) -> None:
        """Remember what was applied under a reference."""
        self.movements[command.reference] = Movement(sequence, command)

    def change(self, account: int, asset: int, units: int) -> None:
        """Bring units into an account from outside, or (negative) take them out."""
        self[account].available[asset] += units
        self.outstanding[asset] += units

    def roll_to(self, time_ns: int) -> None:
        """Begin the trade date (Asia/Seoul) of this time."""
        day = (time_ns + _SEOUL_OFFSET_NS) // _NS_PER_DAY
        self.begin_day(day)

    def begin_day(self, day: int) -> None:
        """Set the trade date, in days since the epoch in Seoul."""
        self.trade_day = day
        self.day_end_ns = (day + 1) * _NS_PER_DAY - _SEOUL_OFFSET_NS

    def ordered(self) -> Iterator[Account]:
        """Yield accounts by number."""
        return (self[account_id] for account_id in sorted(self))

    def _check(self) -> None:
        """Assert conservation per asset, and that every hold is an open order's (by account)."""
        totals: defaultdict[int, int] = defaultdict(int)
        for account in self.values():
            for asset in account.assets():
                available, held = account.available[asset], account.held[asset]
                assert available >= 0 and held >= 0, f"account {account.id} is negative"
                totals[asset] += available + held
            for order in account.orders.values():
                name = order.accepted.client_order_id
                known = account.known(name, self.trade_day)
                assert known == order.accepted, f"order {order.id} lost its client order id"
                assert order.account == account.id and order.holder == account.holder.id
            assert account.trades or not account.orders, f"account {account.id} may not order"
            assert account.id in account.holder.accounts
        for asset in totals.keys() | self.outstanding.keys():
            total, outstanding = totals[asset], self.outstanding[asset]
            assert total == outstanding, f"asset {asset}: {total} held, {outstanding} outstanding"
            assert 0 <= total <= UNITS_MAX

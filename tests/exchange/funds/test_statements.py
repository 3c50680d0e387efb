"""Statements, history and fees equal those recomputed from all fills and movements."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

import pytest

from custody import services, statements
from custody.errors import Invalid
from custody.ledger import ledger_apply
from custody.models import Account
from exchange.api.errors import Problem
from exchange.funds.api import representation
from exchange.funds.periods import Period, period_of
from exchange.listings.models import Instrument
from exchange.trading.fees import fees_by_day
from exchange.trading.projector import entries_project
from matching.protocol.commands import Credit, Debit
from matching.protocol.events import Credited, Debited, Filled
from matching.protocol.queries import Balances, GetBalances
from matching.protocol.units import Side
from tests.exchange import flows
from tests.exchange.flows import ACCOUNTS, Flow, entries_of

pytestmark = pytest.mark.django_db
SEOUL = timezone(timedelta(hours=9))
KRW, BASE = 1, {1: 2, 2: 3}
QUARTER_HOUR_NS = 900 * 10**9


@dataclass(frozen=True)
class Moved:
    """One change of a balance, as the engine's events tell it."""

    sequence: int
    day: date
    kind: str
    asset: int
    amount_units: int


@pytest.fixture
def flow(db: None, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """Half a month of trading, deposits and withdrawals, in ledger and records alike."""
    monkeypatch.setattr(flows, "STEP_NS", QUARTER_HOUR_NS)
    services.assets_register()
    Account.objects.bulk_create(Account(id=number, holder=number) for number in ACCOUNTS)
    made = Flow(11).run(1_300)
    for account in ACCOUNTS:
        made.send(Debit(account, KRW, 10_000_000 + account, f"withdrawal:{account}:0"))
        made.send(Credit(account, KRW, 5_000_000, f"withdrawal:{account}:return"))
    ledger_apply(made.applied)
    position = 0
    for entry in entries_of(made.applied, 100):
        position = entries_project([entry], after_sequence=position)
    return made


def _recomputed(flow: Flow, account: int) -> Iterator[Moved]:
    for applied in flow.applied:
        day = datetime.fromtimestamp(applied.time_ns // 10**9, SEOUL).date()
        for event in applied.events:
            changes: list[tuple[str, int, int]] = []
            if isinstance(event, Credited | Debited) and event.account == account:
                changes = [_deposit_or_withdrawal(event)]
            elif isinstance(event, Filled) and account in (
                event.taker_account,
                event.maker_account,
            ):
                taker = event.taker_account == account
                buys = taker == (event.taker_side == Side.BUY)
                fee = event.taker_fee_units if taker else event.maker_fee_units
                sign = 1 if buys else -1
                changes = [
                    ("trade", BASE[event.instrument], sign * event.base_units),
                    ("trade", KRW, -sign * event.quote_units - fee),
                ]
            yield from (
                Moved(applied.sequence, day, kind, asset, units)
                for kind, asset, units in changes
                if units
            )


def _deposit_or_withdrawal(event: Credited | Debited) -> tuple[str, int, int]:
    if isinstance(event, Debited):
        return "withdrawal", event.asset, -event.amount_units
    back = event.reference.endswith(":return")
    return "return" if back else "deposit", event.asset, event.amount_units


def _fees(flow: Flow, account: int, period: Period) -> dict[tuple[date, int], list[int]]:
    found: dict[tuple[date, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for applied in flow.applied:
        day = datetime.fromtimestamp(applied.time_ns // 10**9, SEOUL).date()
        for event in applied.events:
            if isinstance(event, Filled) and period.first <= day <= period.last:
                for own, fee in (
                    (event.taker_account, event.taker_fee_units),
                    (event.maker_account, event.maker_fee_units),
                ):
                    if own == account:
                        row = found[day, event.instrument]
                        for place, units in enumerate((1, event.quote_units, fee)):
                            row[place] += units
    return found


def _periods(flow: Flow) -> list[Period]:
    first = datetime.fromtimestamp(flow.applied[0].time_ns // 10**9, SEOUL).date()
    last = datetime.fromtimestamp(flow.applied[-1].time_ns // 10**9, SEOUL).date()
    assert first.month != last.month
    days = (first + timedelta(days=number) for number in range(-1, (last - first).days + 2))
    months = (period_of(f"{one:%Y-%m}", None, None) for one in (first, last))
    return [*(Period(day, day) for day in days), *months, Period(first, last)]


def test_statement_equals_the_one_recomputed_from_all_events(flow: Flow) -> None:
    for account in ACCOUNTS:
        moved = list(_recomputed(flow, account))
        assert len(moved) > 100
        for period in _periods(flow):
            made = statements.statement(account, begin=period.begin, end=period.end)
            assert made.sequence == flow.engine.sequence
            before: dict[int, int] = defaultdict(int)
            within: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
            for one in moved:
                if one.day < period.first:
                    before[one.asset] += one.amount_units
                elif one.day <= period.last:
                    within[one.asset].append((one.sequence, one.kind, one.amount_units))
            assert [asset.asset for asset in made.assets] == sorted(
                {asset for asset in before if before[asset]} | set(within)
            )
            for asset in made.assets:
                # A fill posts base and quote in no promised order, but each asset once.
                shown = [(m.sequence, m.kind, m.amount_units) for m in asset.movements]
                assert shown == within[asset.asset]
                assert asset.opening_units == before[asset.asset]
                balance = asset.opening_units
                for movement in asset.movements:
                    balance += movement.amount_units
                    assert movement.balance_units == balance
                assert asset.closing_units == balance


def test_days_follow_on_each_other_and_end_at_the_engines_balance(flow: Flow) -> None:
    account = ACCOUNTS[3]
    closing: dict[int, int] = {}
    for period in _periods(flow)[:-3]:
        made = statements.statement(account, begin=period.begin, end=period.end)
        assert {one.asset: one.opening_units for one in made.assets if one.opening_units} == {
            asset: units for asset, units in closing.items() if units
        }
        closing = {one.asset: one.closing_units for one in made.assets}
    reply = flow.engine.answer(GetBalances(account))
    assert isinstance(reply, Balances)
    assert closing == {one.asset: one.available_units + one.held_units for one in reply.balances}


def test_history_pages_hold_every_movement_once_with_its_balance(flow: Flow) -> None:
    account = ACCOUNTS[0]
    everything = Period(date(2026, 1, 1), date(2026, 12, 31))
    made = statements.statement(account, begin=everything.begin, end=everything.end)
    expected = sorted(
        (one for asset in made.assets for one in asset.movements), key=lambda one: -one.id
    )
    for wanted in (None, KRW, 3):
        pages: list[statements.Movement] = []
        before = None
        while page := statements.history_page(account, asset=wanted, before=before, limit=37):
            pages += page
            before = page[-1].id
        assert pages == [one for one in expected if wanted in (None, one.asset)]
    assert statements.history_page(999_999, limit=10) == []


def test_fees_equal_those_recomputed_from_all_fills(flow: Flow) -> None:
    for account in ACCOUNTS:
        for period in _periods(flow):
            days = fees_by_day(account, begin_ns=period.begin_ns, end_ns=period.end_ns)
            shown = {(d.day, d.instrument): [d.fills, d.quote_units, d.fee_units] for d in days}
            assert shown == _fees(flow, account, period)
    (everything, gold) = (
        fees_by_day(ACCOUNTS[0], begin_ns=0, end_ns=2**62, instrument=number)
        for number in (None, 1)
    )
    assert gold == [day for day in everything if day.instrument == 1] != everything


def test_csv_says_what_the_json_says(flow: Flow) -> None:
    for number, base in BASE.items():
        Instrument.objects.create(
            id=number,
            symbol=f"I{number}-KRW",
            base_asset_id=base,
            quote_asset_id=KRW,
            unit="g",
            tick_size=1,
            lot_size=1,
            base_units_per_lot=1_000,
            quote_units_per_tick_lot=10_000,
            instrument_class=1,
            quantity_lots_max=500,
        )
    account, period = ACCOUNTS[1], _periods(flow)[-1]
    made = statements.statement(account, begin=period.begin, end=period.end)
    fees = fees_by_day(account, begin_ns=period.begin_ns, end_ns=period.end_ns)
    shown = representation.statement_show(account, period, made, fees, [])
    header, *rows = csv.reader(io.StringIO(representation.statement_csv(shown)))
    assert tuple(header) == representation.CSV_COLUMNS
    expected = []
    for asset in shown.assets:
        expected.append([asset.asset, shown.first, "opening", "", asset.opening, "", ""])
        expected += [
            [m.asset, m.moved_at, m.kind, m.amount, m.balance, m.reference, m.sequence]
            for m in asset.movements
        ]
        expected.append([asset.asset, shown.last, "closing", "", asset.closing, "", shown.sequence])
    assert rows == expected
    assert {row[0] for row in rows} == {"KRW", "XAU", "XAG"}


def test_statement_is_refused_when_it_would_be_too_long(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "MOVEMENTS_MAX", 10)
    with pytest.raises(Invalid, match="fewer days"):
        statements.statement(
            ACCOUNTS[0], begin=_periods(flow)[-1].begin, end=_periods(flow)[-1].end
        )


@pytest.mark.parametrize(
    ("month", "first", "last"),
    [
        ("2026-13", None, None),
        ("2026-11", "2026-11-01", None),
        (None, "2026-11-02", "2026-11-01"),
        (None, "2026-02-30", None),
        (None, "2024-01-01", "2026-01-01"),
        (None, "0001-01-01", "0001-01-02"),
        (None, None, "9999-12-31"),
    ],
)
def test_period_is_refused_when_it_is_none(
    month: str | None, first: str | None, last: str | None
) -> None:
    with pytest.raises(Problem, match="parameter_invalid"):
        period_of(month, first, last)


def test_period_is_measured_in_seoul() -> None:
    november = period_of("2026-11", None, None)
    assert (november.first, november.last) == (date(2026, 11, 1), date(2026, 11, 30))
    assert november.begin.astimezone(SEOUL).isoformat() == "2026-11-01T00:00:00+09:00"
    assert november.begin_ns == 1_793_458_800 * 10**9
    assert november.end_ns - november.begin_ns == 30 * 86_400 * 10**9

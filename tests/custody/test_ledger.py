"""The ledger: balanced, append-only, each event of the engine once."""

from collections import defaultdict
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from custody import selectors
from custody.ledger import EPOCH, bookings_of, fill_amounts, ledger_apply
from custody.models import OUTSIDE, REVENUE, Account, Entry, Posting
from matching.protocol.commands import DefineInstrument
from matching.protocol.events import (
    AccountOpened,
    AnyEvent,
    Applied,
    CashAllocated,
    Converted,
    Credited,
    Debited,
    Filled,
    HoldingAdjusted,
    InstrumentDefined,
    Transferred,
)
from matching.protocol.units import UNITS_MAX, AccountKind, Side

KRW, XAU = 1, 2
GOLD = InstrumentDefined(DefineInstrument(7, XAU, KRW, 10, 1000, 1, 10**6))


def _fill(**changed: Any) -> Filled:
    values: dict[str, Any] = {
        "fill_id": 1,
        "instrument": 7,
        "price_ticks": 5,
        "quantity_lots": 2,
        "base_units": 20,
        "quote_units": 10_000,
        "taker_side": Side.BUY,
        "maker_order_id": 3,
        "taker_order_id": 4,
        "maker_account": 1000,
        "taker_account": 1001,
        "maker_fee_units": -2,
        "taker_fee_units": 7,
        "maker_remaining_lots": 0,
        "taker_remaining_lots": 0,
    }
    return Filled(**{**values, **changed})


def _applied(sequence: int, *events: AnyEvent) -> Applied:
    return Applied(sequence, 1_700_000_000_123_456_789 + sequence, events)


@pytest.fixture
def members(assets: None) -> None:
    for number in (1000, 1001):
        Account.objects.create(id=number, holder=number)


def test_fill_moves_base_quote_and_fees_when_the_taker_buys() -> None:
    assert fill_amounts(_fill(), XAU, KRW) == {
        (1000, XAU): -20,
        (1001, XAU): 20,
        (1001, KRW): -10_007,
        (1000, KRW): 10_002,
        (REVENUE, KRW): 5,
    }


def test_fill_moves_base_quote_and_fees_when_the_taker_sells() -> None:
    assert fill_amounts(_fill(taker_side=Side.SELL), XAU, KRW) == {
        (1001, XAU): -20,
        (1000, XAU): 20,
        (1000, KRW): -9_998,
        (1001, KRW): 9_993,
        (REVENUE, KRW): 5,
    }


@pytest.mark.parametrize(
    ("event", "kind", "amounts"),
    [
        (
            Transferred(1000, 1001, XAU, 5, "t"),
            "transfer",
            {(1000, XAU): -5, (1001, XAU): 5},
        ),
        (
            Converted(1000, 1001, KRW, 7, XAU, 5, "c"),
            "conversion",
            {(1000, KRW): -7, (1001, KRW): 7, (1001, XAU): -5, (1000, XAU): 5},
        ),
        (HoldingAdjusted(1000, XAU, 5, 0, "s"), "split", {(1000, XAU): 5, (OUTSIDE, XAU): -5}),
        (HoldingAdjusted(1000, XAU, -5, 1, "s"), "split", {(1000, XAU): -5, (OUTSIDE, XAU): 5}),
        (
            CashAllocated(1000, KRW, 5, 2, False, "a"),
            "allocation",
            {(1000, KRW): -5, (OUTSIDE, KRW): 5},
        ),
        (
            CashAllocated(1000, KRW, 5, 2, True, "a"),
            "allocation",
            {(1000, KRW): 5, (OUTSIDE, KRW): -5},
        ),
    ],
)
def test_movement_is_posted_where_it_went(
    event: AnyEvent, kind: str, amounts: dict[tuple[int, int], int]
) -> None:
    (booking,) = bookings_of([_applied(1, event)], {})
    assert (booking.kind, booking.amounts) == (kind, amounts)


UNITS = st.integers(1, 2**40)
FEES = st.integers(0, 2**20)


@given(
    st.lists(
        st.builds(
            _fill,
            base_units=UNITS,
            quote_units=UNITS,
            taker_side=st.sampled_from(Side),
            maker_account=st.integers(1000, 1003),
            taker_account=st.integers(1000, 1003),
            maker_fee_units=FEES.map(lambda fee: -fee) | FEES,
            taker_fee_units=FEES.map(lambda fee: fee + 2**20),
        )
        | st.builds(
            Credited, st.integers(1000, 1003), st.sampled_from([KRW, XAU]), UNITS, st.just("c")
        )
        | st.builds(
            Debited, st.integers(1000, 1003), st.sampled_from([KRW, XAU]), UNITS, st.just("d")
        ),
        max_size=20,
    )
)
def test_entries_sum_to_zero_per_asset(events: list[AnyEvent]) -> None:
    bookings = list(bookings_of([_applied(1, *events)], {7: (XAU, KRW)}))
    assert [booking.index for booking in bookings] == list(range(len(events)))
    for booking in bookings:
        totals: dict[int, int] = defaultdict(int)
        for (_, asset), units in booking.amounts.items():
            assert units != 0
            totals[asset] += units
        assert not any(totals.values())


STORY = [
    _applied(1, GOLD),
    _applied(2, AccountOpened(1000, 1000, AccountKind.MEMBER)),
    _applied(3, Credited(1000, XAU, 500, "mint:1")),
    _applied(4, Credited(1001, KRW, 50_000, "mint:2")),
    _applied(5, _fill(), _fill(fill_id=2)),
    _applied(6, Debited(1000, KRW, 2, "withdrawal:1")),
    _applied(7, Transferred(1001, 1000, KRW, 6, "gift:1")),
]
BALANCES = {
    (OUTSIDE, XAU): -500,
    (OUTSIDE, KRW): -49_998,
    (1000, XAU): 460,
    (1001, XAU): 40,
    (1000, KRW): 20_008,
    (1001, KRW): 29_980,
    (REVENUE, KRW): 10,
}


@pytest.mark.django_db
def test_events_are_posted_with_their_position(members: None) -> None:
    assert ledger_apply(STORY) == 7
    assert selectors.ledger_position() == 7
    assert selectors.ledger_balances() == BALANCES
    assert selectors.ledger_balances(upto_sequence=4) == {
        (OUTSIDE, XAU): -500,
        (OUTSIDE, KRW): -50_000,
        (1000, XAU): 500,
        (1001, KRW): 50_000,
    }
    entries = Entry.objects.order_by("sequence", "index")
    assert list(entries.values_list("sequence", "index", "kind", "reference")) == [
        (3, 0, "credit", "mint:1"),
        (4, 0, "credit", "mint:2"),
        (5, 0, "fill", "fill:1"),
        (5, 1, "fill", "fill:2"),
        (6, 0, "debit", "withdrawal:1"),
        (7, 0, "transfer", "gift:1"),
    ]
    assert (entries[0].time - EPOCH).total_seconds() == 1_700_000_000.123456
    assert list(selectors.ledger_postings(account=1000, asset=XAU)) == [
        (3, "mint:1", 500, False),
        (5, "fill:1", -20, True),
        (5, "fill:2", -20, True),
    ]
    after = selectors.ledger_postings(account=1000, asset=XAU, after_sequence=3, upto_sequence=4)
    assert list(after) == []


@pytest.mark.django_db
@pytest.mark.parametrize("cut", range(len(STORY) + 1))
def test_repeated_delivery_changes_nothing(members: None, cut: int) -> None:
    ledger_apply(STORY[:cut])
    ledger_apply(STORY)
    ledger_apply(STORY[cut:])
    assert selectors.ledger_balances() == BALANCES
    assert Entry.objects.count() == 6


@pytest.mark.django_db
def test_instrument_is_known_after_a_restart(members: None) -> None:
    for one in STORY:
        ledger_apply([one])
    assert selectors.ledger_balances() == BALANCES


@pytest.mark.django_db
def test_nothing_is_posted_when_an_account_is_unknown(members: None) -> None:
    with pytest.raises(IntegrityError, match="account"), transaction.atomic():
        ledger_apply([_applied(1, Credited(4242, XAU, 5, "mint:1"))])
        connection.check_constraints()
    assert selectors.ledger_position() == 0
    assert not Entry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "postings",
    [
        [(1000, XAU, 5)],
        [(1000, XAU, 5), (1001, XAU, -4)],
        [(1000, XAU, 5), (1001, KRW, -5)],
    ],
)
def test_database_refuses_an_entry_that_does_not_balance(
    members: None, postings: list[tuple[int, int, int]]
) -> None:
    with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
        entry = Entry.objects.create(sequence=1, index=0, kind="fill", reference="x", time=EPOCH)
        Posting.objects.bulk_create(
            Posting(entry=entry, account_id=account, asset_id=asset, amount_units=units)
            for account, asset, units in postings
        )
    assert not Entry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["custody_entry", "custody_posting"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_database_refuses_to_change_the_ledger(members: None, table: str, statement: str) -> None:
    ledger_apply(STORY)
    connection.check_constraints()
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(table))
    assert selectors.ledger_balances() == BALANCES


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "named"),
    [("entry", (4242, 1000, XAU)), ("account", (0, 4242, XAU)), ("asset", (0, 1000, 4242))],
)
def test_database_refuses_a_posting_of_what_does_not_exist(
    members: None, kind: str, named: tuple[int, int, int]
) -> None:
    stored = Entry.objects.create(sequence=1, index=0, kind="fill", reference="x", time=EPOCH)
    entry, account, asset = named
    with pytest.raises(IntegrityError, match=f"{kind} 4242"), transaction.atomic():
        Posting.objects.bulk_create(
            Posting(
                entry_id=entry or stored.pk,
                account_id=account,
                asset_id=asset,
                amount_units=units,
            )
            for units in (5, -5)
        )
    assert not Posting.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["custody_account", "custody_asset"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_database_refuses_to_delete_what_postings_name(
    members: None, table: str, statement: str
) -> None:
    accounts = Account.objects.count()
    connection.check_constraints()
    with (
        pytest.raises(IntegrityError, match=f"{table} is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(table))
    assert Account.objects.count() == accounts > 0


@pytest.mark.django_db
@pytest.mark.parametrize("units", [0, UNITS_MAX + 1, -(UNITS_MAX + 1)])
def test_amounts_beyond_63_bits_and_zero_are_refused(members: None, units: int) -> None:
    entry = Entry.objects.create(sequence=1, index=0, kind="fill", reference="x", time=EPOCH)
    with pytest.raises((ValidationError, IntegrityError)), transaction.atomic():
        Posting.objects.create(entry=entry, account_id=1000, asset_id=XAU, amount_units=units)
    with (
        pytest.raises(IntegrityError, match="posting_amount_bounded"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO custody_posting (entry_id, account_id, asset_id, amount_units)"
            " VALUES (%s, 1000, 2, %s)",
            [entry.pk, units],
        )
    assert not Posting.objects.exists()


@pytest.mark.django_db
def test_same_sequence_and_index_cannot_be_posted_twice(members: None) -> None:
    ledger_apply(STORY)
    with pytest.raises(IntegrityError, match="entry_once"), transaction.atomic():
        Entry.objects.create(sequence=5, index=1, kind="fill", reference="again", time=EPOCH)

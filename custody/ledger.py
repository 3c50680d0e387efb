"""The double-entry ledger, built from the engine's events alone, each exactly once.

What lives here turns events into balanced entries and stores them with the follower's position
in one transaction. What must not: the loop, and any posting that no event of the engine stands for.

docs/custody.md lists the postings of each event. A partner's mirror account is an account. Outside
is whatever is not in this engine: the world, an issuer who splits shares, another engine of ours.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO

from django.db import connection, transaction

from custody import locks
from custody.models import OUTSIDE, REVENUE, Entry, LedgerInstrument
from matching.protocol.events import (
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
from matching.protocol.faults import crash_point
from matching.protocol.units import Side

_ENTRY_COPY = (
    "COPY custody_entry (id, sequence, index, kind, reference, time) FROM STDIN (FORMAT csv)"
)
_POSTING_COPY = (
    "COPY custody_posting (entry_id, account_id, asset_id, amount_units) FROM STDIN (FORMAT csv)"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Instruments = Mapping[int, tuple[int, int]]
Amounts = dict[tuple[int, int], int]


@dataclass(frozen=True)
class Booking:
    """One entry with its postings: signed units by (account, asset)."""

    sequence: int
    index: int
    kind: str
    reference: str
    time: datetime
    amounts: Amounts


def ledger_apply(applied: Iterable[Applied]) -> int:
    """Post what these sequenced commands moved and advance the position; return the position.

    All in one transaction under the position's lock: sequences at or below the position change
    nothing, so delivery may repeat.
    """
    with transaction.atomic():
        position = locks.ledger_lock()
        fresh = [one for one in applied if one.sequence > position.sequence]
        if not fresh:
            return position.sequence
        instruments = _instruments_store(fresh)
        _bookings_store(list(bookings_of(fresh, instruments)))
        position.sequence = fresh[-1].sequence
        position.save(update_fields=["sequence"])
        crash_point("ledger.before_commit")
    crash_point("ledger.after_commit")
    return position.sequence


def bookings_of(applied: Iterable[Applied], instruments: Instruments) -> Iterator[Booking]:
    """Yield the entries that these events stand for; `instruments` gives (base, quote) assets."""
    for one in applied:
        for index, event in enumerate(one.events):
            described = _described(event, instruments)
            if described is None:
                continue
            kind, reference, amounts = described
            time = EPOCH + timedelta(microseconds=one.time_ns // 1000)
            yield Booking(one.sequence, index, kind, reference, time, _balanced(amounts))


def _described(event: AnyEvent, instruments: Instruments) -> tuple[str, str, Amounts] | None:
    match event:
        case Filled():
            amounts = fill_amounts(event, *instruments[event.instrument])
            return Entry.Kind.FILL.value, f"fill:{event.fill_id}", amounts
        case Transferred(source, target, asset, units, reference):
            amounts = _moved((source, target, asset, units))
            return Entry.Kind.TRANSFER.value, reference, amounts
        case Converted(account, provider, sold, sold_units, bought, bought_units, reference):
            amounts = _moved(
                (account, provider, sold, sold_units), (provider, account, bought, bought_units)
            )
            return Entry.Kind.CONVERSION.value, reference, amounts
        case Credited(account, asset, units, reference):
            kind = Entry.Kind.CREDIT
        case Debited(account, asset, amount_units, reference):
            kind, units = Entry.Kind.DEBIT, -amount_units
        case HoldingAdjusted(account, asset, units, _, reference):
            kind = Entry.Kind.SPLIT
        case CashAllocated(account, asset, amount_units, _, inward, reference):
            kind, units = Entry.Kind.ALLOCATION, amount_units if inward else -amount_units
        case _:
            return None
    return kind.value, reference, _moved((OUTSIDE, account, asset, units))


def _moved(*moves: tuple[int, int, int, int]) -> Amounts:
    """Return the amounts of moves (from, to, asset, units)."""
    amounts: Amounts = {}
    for source, target, asset, units in moves:
        for account, change in ((source, -units), (target, units)):
            amounts[account, asset] = amounts.get((account, asset), 0) + change
    return amounts


def fill_amounts(fill: Filled, base: int, quote: int) -> Amounts:
    """Return what a fill moves: base to the buyer, quote to the seller, both fees to revenue."""
    taker = (fill.taker_account, fill.taker_fee_units)
    maker = (fill.maker_account, fill.maker_fee_units)
    buyer, seller = (taker, maker) if fill.taker_side == Side.BUY else (maker, taker)
    amounts: Amounts = {}
    for key, units in (
        ((seller[0], base), -fill.base_units),
        ((buyer[0], base), fill.base_units),
        ((buyer[0], quote), -fill.quote_units - buyer[1]),
        ((seller[0], quote), fill.quote_units - seller[1]),
        ((REVENUE, quote), buyer[1] + seller[1]),
    ):
        amounts[key] = amounts.get(key, 0) + units
    return amounts


def _balanced(amounts: Amounts) -> Amounts:
    totals: dict[int, int] = {}
    for (_, asset), units in amounts.items():
        totals[asset] = totals.get(asset, 0) + units
    assert not any(totals.values()), f"an entry must sum to zero per asset, found {totals}"
    return {key: units for key, units in amounts.items() if units}


def _instruments_store(applied: Iterable[Applied]) -> dict[int, tuple[int, int]]:
    defined = {
        event.definition.instrument: event.definition
        for one in applied
        for event in one.events
        if isinstance(event, InstrumentDefined)
    }
    LedgerInstrument.objects.bulk_create(
        (
            LedgerInstrument(id=number, base_asset=terms.base_asset, quote_asset=terms.quote_asset)
            for number, terms in defined.items()
        ),
        ignore_conflicts=True,
    )
    rows = LedgerInstrument.objects.values_list("id", "base_asset", "quote_asset")
    return {number: (base, quote) for number, base, quote in rows}


def _bookings_store(bookings: list[Booking]) -> None:
    if not bookings:
        return
    # A COPY's own errors are the driver's, unless they are made Django's.
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('custody_entry', 'id'))"
            " FROM generate_series(1, %s)",
            [len(bookings)],
        )
        numbers = [number for (number,) in cursor.fetchall()]
        entries, postings = StringIO(), StringIO()
        rows = csv.writer(entries)
        for number, one in zip(numbers, bookings, strict=True):
            rows.writerow((number, one.sequence, one.index, one.kind, one.reference, one.time))
            for (account, asset), units in one.amounts.items():
                postings.write(f"{number},{account},{asset},{units}\n")
        for statement, lines in ((_ENTRY_COPY, entries), (_POSTING_COPY, postings)):
            with cursor.copy(statement) as copy:
                copy.write(lines.getvalue())

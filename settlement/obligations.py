"""The clearing house's follower: from fills and movements to obligations, exactly once.

Nothing is netted or sent here. The position moves in the transaction that writes the rows.
"""

from collections.abc import Callable, Iterable

from django.db import connection, transaction

from matching.client import engine_address, follow
from matching.protocol.codec import StreamEntry
from matching.protocol.events import (
    Applied,
    Converted,
    Filled,
    InstrumentDefined,
    Transferred,
)
from matching.protocol.faults import crash_point
from settlement import locks, netting, selectors
from settlement.models import InstrumentTerms, Obligation

FOLLOWER = "clearing"
GATHER_MS = 200
Assets = dict[int, tuple[int, int]]
_COLUMNS = netting.Obligation._fields
_COPY = f"COPY {Obligation._meta.db_table} ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT csv)"
_LINE = ",".join(["%d"] * len(_COLUMNS)) + "\n"


def obligations_follow(*, stopping: Callable[[], bool], block_ms: int = 500) -> None:
    """Store obligations as the engine makes fills, until `stopping` says so.

    Raises `FollowFailed` when stream and journal do not carry on from our position.
    """
    entries = follow(
        engine_address(),
        follower=FOLLOWER,
        after_sequence=selectors.obligations_position(),
        block_ms=block_ms,
        gather_ms=GATHER_MS,
    )
    for entry in entries:
        if entry is not None:
            obligations_store(entry)
        if stopping():
            return


def obligations_store(entry: StreamEntry) -> int:
    """Store the obligations of one engine batch and move the position; return how many.

    Repeating an entry changes nothing.
    """
    with transaction.atomic():
        position = locks.position_lock()
        fresh = [one for one in entry.applied if one.sequence > position.sequence]
        if not fresh:
            return 0
        assets = _terms_store(fresh)
        dues = list(obligations_read(fresh, assets))
        _copy(dues)
        position.sequence = fresh[-1].sequence
        position.save(update_fields=["sequence"])
        crash_point("obligations.before_commit")
    crash_point("obligations.after_commit")
    return len(dues)


def _copy(dues: Iterable[netting.Obligation]) -> None:
    lines = "".join(_LINE % due for due in dues)
    if lines:
        with (
            connection.wrap_database_errors,
            connection.cursor() as cursor,
            cursor.copy(_COPY) as copy,
        ):
            copy.write(lines)


def obligations_read(applied: Iterable[Applied], assets: Assets) -> Iterable[netting.Obligation]:
    """Yield the obligations of fills and movements; `assets` are base and quote by instrument."""
    for one in applied:
        for event in one.events:
            if isinstance(event, Filled):
                yield netting.obligation_of(one.sequence, event, *assets[event.instrument])
            elif isinstance(event, Transferred | Converted):
                yield netting.movement_obligation(one.sequence, event)


def definitions_read(applied: Iterable[Applied]) -> Assets:
    """Return base and quote assets of the instruments defined in these events."""
    return {
        event.definition.instrument: (event.definition.base_asset, event.definition.quote_asset)
        for one in applied
        for event in one.events
        if isinstance(event, InstrumentDefined)
    }


def _terms_store(applied: list[Applied]) -> Assets:
    InstrumentTerms.objects.bulk_create(
        [
            InstrumentTerms(instrument=instrument, base_asset=base, quote_asset=quote)
            for instrument, (base, quote) in definitions_read(applied).items()
        ],
        ignore_conflicts=True,
    )
    rows = InstrumentTerms.objects.values_list("instrument", "base_asset", "quote_asset")
    return {instrument: (base, quote) for instrument, base, quote in rows}

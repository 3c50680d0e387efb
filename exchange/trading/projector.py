"""The projector: writes orders and fills from the engine's events, each event exactly once.

A batch of entries and the position behind it are one transaction. What must not live here: what an
event means (projection.py).
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from operator import attrgetter

from django.db import InterfaceError, OperationalError, connection, transaction

from compliance.process import DATABASE_RETRY_S, Stop
from exchange.listings import services as listings
from exchange.trading.errors import ProjectionFault
from exchange.trading.locks import projector_position_move
from exchange.trading.models import Fill, KillSwitch, Movement, Order
from exchange.trading.projection import FillRecord, OrderRecord, Projection, orders_touched
from exchange.trading.selectors import projector_position
from matching.client import EngineAddress, follow
from matching.protocol.codec import StreamEntry
from matching.protocol.events import Converted, KillSwitchChanged, PhaseChanged, Transferred
from matching.protocol.faults import crash_point
from settlement.netting import movement_obligation

FOLLOWER = "projector"
GATHER_MS = 100
IDLE_MS = 200

logger = logging.getLogger(__name__)

_ORDER_COLUMNS = tuple(field.name for field in fields(OrderRecord))
_FILL_COLUMNS = FillRecord._fields
_CHANGING = {
    "order_id": "bigint",
    "acting_kind": "smallint",
    "price_ticks": "bigint",
    "quantity_lots": "bigint",
    "stop_price_ticks": "bigint",
    "filled_lots": "bigint",
    "remaining_lots": "bigint",
    "filled_quote_units": "bigint",
    "fee_units": "bigint",
    "state": "smallint",
    "cancel_reason": "smallint",
    "updated_at_ns": "bigint",
    "updated_sequence": "bigint",
}
_UPDATE = (
    f"UPDATE {Order._meta.db_table} AS o SET "
    + ", ".join(f"{name} = n.{name}" for name in _CHANGING if name != "order_id")
    + " FROM unnest("
    + ", ".join(f"%s::{kind}[]" for kind in _CHANGING.values())
    + f") AS n({', '.join(_CHANGING)}) WHERE o.order_id = n.order_id"
)
# Units have 63 bits: none needs to become a Decimal.
_SELECT = (
    "SELECT "
    + ", ".join(f"{name}::bigint" if name.endswith("_units") else name for name in _ORDER_COLUMNS)
    + f" FROM {Order._meta.db_table} WHERE order_id = ANY(%s::bigint[])"
)
_order_values = attrgetter(*_ORDER_COLUMNS)
_changing_values = attrgetter(*_CHANGING)


def _copy_statement(table: str, columns: Sequence[str]) -> str:
    """Return the COPY of lines in CSV, where text that stands in quotes is never NULL."""
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv, NULL 'None')"


_ORDER_COPY = _copy_statement(Order._meta.db_table, _ORDER_COLUMNS)
_FILL_COPY = _copy_statement(Fill._meta.db_table, _FILL_COLUMNS)
# Numbers, truth values, client order ids and tags hold nothing that would need escaping.
_TEXTS = ("client_order_id", "tag", "pair")
_ORDER_LINE = ",".join('"%s"' if c in _TEXTS else "%s" for c in _ORDER_COLUMNS) + "\n"
_FILL_LINE = ",".join(["%s"] * len(_FILL_COLUMNS)) + "\n"


def project(address: EngineAddress, *, stop: Stop) -> None:
    """Follow the engine until `stop`; a lost database is waited for.

    Raises `ProjectionFault`, `FollowFailed`, other database errors; whatever it raises, running it
    again carries on behind the last commit.
    """
    while not stop:
        try:
            _project(address, stop)
        except (OperationalError, InterfaceError) as error:
            logger.warning("database lost (%s): trying again", error)
            connection.close()
            stop.wait(DATABASE_RETRY_S)


def _project(address: EngineAddress, stop: Stop) -> None:
    position = projector_position()
    for entry in follow(
        address,
        follower=FOLLOWER,
        after_sequence=position,
        block_ms=IDLE_MS,
        gather_ms=GATHER_MS,
    ):
        if entry is not None:
            position = entries_project([entry], after_sequence=position)
        if stop:
            return


def entries_project(entries: Sequence[StreamEntry], *, after_sequence: int) -> int:
    """Write entries and the new position in one transaction; return the position.

    Raises `ProjectionFault` when the stored position is not `after_sequence`, or entries skip.
    """
    _continuity_check(entries, after_sequence)
    batch = [applied for entry in entries for applied in entry.applied]
    last_sequence = entries[-1].last_sequence
    with transaction.atomic():
        if not projector_position_move(before=after_sequence, after=last_sequence):
            raise ProjectionFault(
                f"the position is {projector_position()}, expected {after_sequence}: does another "
                "projector write to this database?"
            )
        projection = Projection(_orders_read(orders_touched(batch)))
        for applied in batch:
            projection.apply(applied)
        _write(projection)
        for applied in batch:
            for event in applied.events:
                if isinstance(event, Transferred | Converted):
                    _movement_write(applied.sequence, event)
                elif type(event) is PhaseChanged:
                    listings.phase_project(
                        instrument_id=event.instrument,
                        phase=event.phase,
                        ends_at_ns=event.ends_at_ns,
                        sequence=applied.sequence,
                    )
                elif type(event) is KillSwitchChanged:
                    KillSwitch.objects.update_or_create(
                        account=event.account,
                        instrument=event.instrument,
                        defaults={"engaged": event.engaged, "changed_at_ns": applied.time_ns},
                    )
        crash_point("projector.before_commit")
    crash_point("projector.after_commit")
    return last_sequence


def _continuity_check(entries: Sequence[StreamEntry], after_sequence: int) -> None:
    position = after_sequence
    for entry in entries:
        if entry.after_sequence > position or entry.applied[0].sequence <= position:
            raise ProjectionFault(
                f"an entry after {entry.after_sequence} begins at {entry.applied[0].sequence}, "
                f"expected the one after {position}"
            )
        position = entry.last_sequence


def _orders_read(numbers: Collection[int]) -> list[OrderRecord]:
    if not numbers:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_SELECT, [_array(numbers)])
        return [OrderRecord(*row) for row in cursor.fetchall()]


def _write(projection: Projection) -> None:
    orders = projection.orders
    _copy(
        _ORDER_COPY, _ORDER_LINE, (_order_values(orders[number]) for number in projection.created)
    )
    _copy(_FILL_COPY, _FILL_LINE, projection.fills)
    changed = [orders[number] for number in projection.changed - projection.created]
    if changed:
        columns = zip(*map(_changing_values, changed), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, list(map(_array, columns)))


def _movement_write(sequence: int, event: Transferred | Converted) -> None:
    due = movement_obligation(sequence, event)
    Movement.objects.create(
        sequence=sequence,
        buyer=due.buyer,
        seller=due.seller,
        base_asset=due.base_asset,
        base_units=due.base_units,
        quote_asset=due.quote_asset,
        quote_units=due.quote_units,
    )


def _array(numbers: Iterable[int | None]) -> str:
    """Return an array as PostgreSQL reads it; the driver would look at each number twice."""
    return "{" + ",".join("NULL" if n is None else str(n) for n in numbers) + "}"


def _copy(statement: str, line: str, rows: Iterable[tuple[object, ...]]) -> None:
    lines = [line % row for row in rows]
    if not lines:
        return
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        copy.write("".join(lines))

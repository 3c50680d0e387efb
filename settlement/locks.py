"""Every lock of the clearing house: rows in the order of their keys, advisory locks by name.

An advisory lock belongs to the database session, so a worker that dies gives it back; it may be
held across network calls, which a row lock may not.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import QuerySet

from settlement.models import (
    Batch,
    BatchState,
    ChainTransaction,
    DepositPosition,
    Lane,
    ObligationPosition,
    Substitution,
)


def _key(name: str) -> int:
    digest = hashlib.sha256(f"settlement:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@contextmanager
def advisory(name: str) -> Iterator[bool]:
    """Hold the named lock of this database for the block; yield False when another holds it."""
    assert not connection.in_atomic_block, "an advisory lock outlives transactions"
    key = _key(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        (held,) = cursor.fetchone()
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def batch_lock(batch_id: int) -> Batch:
    """Lock one batch for the transaction; raises `Batch.DoesNotExist`."""
    return Batch.objects.select_for_update(no_key=True).get(batch_id=batch_id)


def proposals_lock() -> None:
    """Let one transaction at a time decide which batch comes next."""
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_key("proposals")])


def batches_confirmed_lock(above_sequence: int) -> QuerySet[Batch]:
    """Lock the confirmed batches that end above a sequence."""
    return (
        Batch.objects.select_for_update(no_key=True)
        .filter(state=BatchState.CONFIRMED, to_sequence__gt=above_sequence)
        .order_by("batch_id")
    )


def lane_lock(name: str) -> Lane:
    """Lock a lane for handing out a nonce; raises `Lane.DoesNotExist`."""
    return Lane.objects.select_for_update(no_key=True).get(name=name)


def transaction_lock(pk: int) -> ChainTransaction:
    """Lock one chain transaction; raises `ChainTransaction.DoesNotExist`."""
    return ChainTransaction.objects.select_for_update(no_key=True).get(pk=pk)


def position_lock() -> ObligationPosition:
    """Lock the obligation follower's position, so that only one follower writes."""
    ObligationPosition.objects.get_or_create(id=1)
    return ObligationPosition.objects.select_for_update(no_key=True).get(id=1)


def deposit_position_lock(block_number: int) -> DepositPosition:
    """Lock the block up to which transfers were handed to custody; the first one is given."""
    DepositPosition.objects.get_or_create(id=1, defaults={"block_number": block_number})
    return DepositPosition.objects.select_for_update(no_key=True).get(id=1)


def substitution_lock(pk: int) -> Substitution:
    """Lock one substitution; raises `Substitution.DoesNotExist`."""
    return Substitution.objects.select_for_update(no_key=True).get(pk=pk)

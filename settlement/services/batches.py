"""A batch's beginning and end in our records: submitted, countersigned, confirmed, unwound.

Its way on the chain stands in `settle`. No network call is made here.
"""

from collections.abc import Iterable, Mapping

from django.db import connection, transaction
from django.utils import timezone

from compliance.services.acts import act_complete, act_fail
from compliance.services.audit import audit_append
from compliance.wake import wake
from matching.protocol.faults import crash_point
from settlement import locks, netting, selectors
from settlement.errors import ActRefused, BatchOpen, NetDiffers, NotYet, RangeRefused
from settlement.models import (
    Batch,
    BatchState,
    Chunk,
    NetPosition,
    ReserveMovement,
)

ADVANCE_TASK = "settlement.batch_advance"
SIGNER_CHANNEL = "clearing_batches"
_POSITIONS_COPY = (
    f"COPY {NetPosition._meta.db_table} (batch_id, account, asset, amount_units) "
    "FROM STDIN (FORMAT csv)"
)


def batch_submit(
    *,
    batch_id: int,
    from_sequence: int,
    to_sequence: int,
    positions: Mapping[tuple[int, int], int],
    fills_root: bytes,
    chunks_hash: bytes,
    venue_signature: bytes,
) -> Batch:
    """Take the venue's signed batch after recomputing all of it from our own obligations.

    `positions` holds net base units by (account, asset). Submitting the same batch again returns
    the one that stands. Raises `NotYet` while our follower is behind, `BatchOpen`, `RangeRefused`,
    and `NetDiffers` naming the first account and asset on which the two differ.
    """
    standing = Batch.objects.filter(batch_id=batch_id).first()
    if standing is not None:
        return _same_or_refuse(standing, from_sequence, to_sequence, fills_root, chunks_hash)
    if (position := selectors.obligations_position()) < to_sequence:
        raise NotYet(f"obligations stand at {position}, the batch ends at {to_sequence}: repeat")
    obligations = selectors.obligations_between(from_sequence, to_sequence)
    try:
        ours = selectors.batch_compose(
            batch_id=batch_id,
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            obligations=obligations,
        )
    except ValueError as error:
        raise RangeRefused(f"batch {batch_id} cannot be composed: {error}") from error
    _net_compare(ours, positions, fills_root, chunks_hash)
    batch = _batch_create(ours, venue_signature)
    crash_point("settler.batch_proposed")
    return batch


def _same_or_refuse(
    standing: Batch, from_sequence: int, to_sequence: int, fills_root: bytes, chunks_hash: bytes
) -> Batch:
    found = (
        standing.from_sequence,
        standing.to_sequence,
        bytes(standing.fills_root),
        bytes(standing.chunks_hash),
    )
    if found != (from_sequence, to_sequence, fills_root, chunks_hash):
        raise RangeRefused(
            f"batch {standing.batch_id} was taken before for {found[0]}..{found[1]} with another "
            f"content: take the next id from `next_batch_range`"
        )
    return standing


def _net_compare(
    ours: netting.ComposedBatch,
    positions: Mapping[tuple[int, int], int],
    fills_root: bytes,
    chunks_hash: bytes,
) -> None:
    for account, asset in sorted(ours.positions.keys() | positions.keys()):
        expected = ours.positions.get((account, asset), 0)
        found = positions.get((account, asset), 0)
        if expected != found:
            raise NetDiffers(
                f"account {account}, asset {asset}: the venue nets {found} units, "
                f"the clearing house {expected}"
            )
    for name, expected_hash, found_hash in (
        ("fills root", ours.terms.fills_root, fills_root),
        ("chunks hash", ours.terms.chunks_hash, chunks_hash),
    ):
        if expected_hash != found_hash:
            raise NetDiffers(
                f"{name}: venue {found_hash.hex()}, clearing house {expected_hash.hex()}"
            )


@transaction.atomic
def _batch_create(ours: netting.ComposedBatch, venue_signature: bytes) -> Batch:
    """Write the batch with positions and chunks, under the lock which orders proposals."""
    terms = ours.terms
    locks.proposals_lock()
    if Batch.objects.filter(batch_id=terms.batch_id).exists():
        raise BatchOpen(f"batch {terms.batch_id} is being submitted by another process")
    expected = selectors.next_batch_range()
    if expected is None:
        raise BatchOpen("a batch is under way: wait until it is confirmed or unwound")
    if (terms.batch_id, terms.from_sequence) != (expected.batch_id, expected.from_sequence) or (
        expected.to_sequence not in (None, terms.to_sequence)
    ):
        raise RangeRefused(
            f"batch {terms.batch_id} of {terms.from_sequence}..{terms.to_sequence} is not next: "
            f"expected id {expected.batch_id} from {expected.from_sequence}"
            + (f" to {expected.to_sequence}" if expected.to_sequence else "")
        )
    batch = Batch.objects.create(
        batch_id=terms.batch_id,
        from_sequence=terms.from_sequence,
        to_sequence=terms.to_sequence,
        fills=ours.fills,
        fills_root=terms.fills_root,
        chunks_hash=terms.chunks_hash,
        venue_signature=venue_signature,
    )
    lines = [
        f"{batch.pk},{account},{asset},{amount}\n"
        for (account, asset), amount in ours.positions.items()
    ]
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(_POSITIONS_COPY) as copy,
    ):
        copy.write("".join(lines))
    Chunk.objects.bulk_create(
        Chunk(batch=batch, index=index, phase=data[0], data=data, hash=digest, deltas=deltas)
        for index, (data, digest, deltas) in enumerate(ours.chunk_rows())
    )
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {SIGNER_CHANNEL}")
    return batch


@transaction.atomic
def batch_countersign(*, batch_id: int, signature: bytes) -> Batch:
    """Store the clearing house's signature, which only its signer can make, and wake the settler.

    Repeating it changes nothing. Raises `ActRefused` when the batch was unwound meanwhile.
    """
    batch = locks.batch_lock(batch_id)
    if batch.clearing_signature is not None:
        return batch
    if batch.state != BatchState.PROPOSED:
        raise ActRefused(f"batch {batch_id} is {batch.state}: nothing is left to sign")
    batch.clearing_signature = signature
    batch.state = BatchState.SIGNED
    batch.signed_at = batch.due_at = timezone.now()
    batch.save(update_fields=["clearing_signature", "state", "signed_at", "due_at"])
    wake(ADVANCE_TASK, batch_id)
    return batch


@transaction.atomic
def batch_refuse(*, batch_id: int, error: str) -> None:
    """Give up a batch which our signer will never sign; no chain can take it, its range is free."""
    batch = locks.batch_lock(batch_id)
    if batch.state != BatchState.PROPOSED:
        return
    batch.state, batch.unwound_at, batch.error = BatchState.UNWOUND, timezone.now(), error
    batch.save(update_fields=["state", "unwound_at", "error"])
    _acts_end(batch, unwound=True)
    _audit(batch, "batch.refused")


def batch_note(*, batch_id: int, error: str) -> None:
    """Note on a batch what its last step failed of; the step stays due."""
    rows = Batch.objects.exclude(state__in=[BatchState.CONFIRMED, BatchState.UNWOUND])
    rows.filter(pk=batch_id).update(error=error[:500])


@transaction.atomic
def batch_confirm(*, batch_id: int, gas_used: int, movements: Iterable[ReserveMovement]) -> None:
    """Record that the chain holds the batch at its finalised block; again changes nothing."""
    batch = locks.batch_lock(batch_id)
    if batch.state == BatchState.CONFIRMED:
        return
    batch.state, batch.confirmed_at, batch.gas_used = BatchState.CONFIRMED, timezone.now(), gas_used
    batch.error = ""
    batch.save(update_fields=["state", "confirmed_at", "gas_used", "error"])
    ReserveMovement.objects.bulk_create(movements, ignore_conflicts=True)
    _acts_end(batch, unwound=False)
    _audit(batch, "batch.confirmed")


@transaction.atomic
def batch_unwound(*, batch_id: int) -> None:
    """Record that the chain gave back all the batch had collected; its range is free again."""
    batch = locks.batch_lock(batch_id)
    if batch.state == BatchState.UNWOUND:
        return
    batch.state, batch.unwound_at = BatchState.UNWOUND, timezone.now()
    batch.save(update_fields=["state", "unwound_at"])
    _acts_end(batch, unwound=True)
    _audit(batch, "batch.unwound")


def _acts_end(batch: Batch, *, unwound: bool) -> None:
    result = {"batch_id": batch.batch_id}
    if batch.unwind_act is not None:
        if unwound:
            act_complete(act_id=batch.unwind_act, result=result)
        else:
            act_fail(act_id=batch.unwind_act, error=f"batch {batch.batch_id} settled before")
    for cover in batch.substitutions.order_by("pk"):
        if cover.registered_at is not None and not unwound:
            act_complete(act_id=cover.act, result=result)
        else:
            act_fail(act_id=cover.act, error=f"batch {batch.batch_id} ended without it")


def _audit(batch: Batch, action: str) -> None:
    audit_append(
        body="clearing",
        actor="process:settler",
        action=action,
        subject=f"batch:{batch.batch_id}",
        detail={
            "from_sequence": batch.from_sequence,
            "to_sequence": batch.to_sequence,
            "fills": batch.fills,
            "fills_root": bytes(batch.fills_root).hex(),
        },
    )

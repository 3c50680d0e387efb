"""What officers of the clearing house approve: unwinding a batch, substitution by the fund.

An act begins here and ends when the chain shows it. No key is opened and no network call made here.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from compliance.selectors import act_get
from compliance.services.acts import act_complete, act_fail
from compliance.wake import wake
from settlement import locks
from settlement.errors import ActRefused
from settlement.models import Batch, BatchState, Substitution
from settlement.selectors import UNWINDABLE
from settlement.services.batches import ADVANCE_TASK


@transaction.atomic
def unwind_countersign(*, batch_id: int, signature: bytes) -> None:
    """Store the signer's `Unwind` of a batch whose unwinding officers approved."""
    batch = locks.batch_lock(batch_id)
    if batch.unwind_act is None or batch.unwind_signature is not None:
        return
    batch.unwind_signature = signature
    batch.due_at = timezone.now()
    batch.save(update_fields=["unwind_signature", "due_at"])
    wake(ADVANCE_TASK, batch_id)


@transaction.atomic
def substitution_countersign(*, substitution_id: int, signature: bytes) -> None:
    """Store the clearing house's signature of a `Substitute` which officers approved."""
    cover = locks.substitution_lock(substitution_id)
    if cover.clearing_signature is None:
        cover.clearing_signature = signature
        cover.save(update_fields=["clearing_signature"])


@transaction.atomic
def substitution_cosign(*, substitution_id: int, venue_signature: bytes) -> None:
    """Store the venue's signature of a `Substitute` and wake the settler."""
    cover = locks.substitution_lock(substitution_id)
    if cover.venue_signature is None:
        cover.venue_signature = venue_signature
        cover.save(update_fields=["venue_signature"])
        Batch.objects.filter(pk=cover.batch_id).update(due_at=timezone.now(), attempts=0)
        wake(ADVANCE_TASK, cover.batch_id)


def act_execute(*, act_id: UUID) -> None:
    """Begin what officers of the clearing house approved; the act ends when the chain shows it.

    Repeating it changes nothing. An act the batch's state does not allow fails for good.
    """
    act = act_get(act_id)
    if act.body != "clearing" or act.state != "approved":
        return
    try:
        if act.kind == "clearing.unwind":
            _unwind_begin(act.id, **act.payload)
        elif act.kind == "clearing.substitute":
            _substitution_begin(act.id, **act.payload)
        else:
            raise ActRefused(f"the clearing house executes no {act.kind}")
    except ActRefused as error:
        act_fail(act_id=act.id, error=str(error))


@transaction.atomic
def _unwind_begin(act_id: UUID, batch_id: int) -> None:
    batch = _batch_of(batch_id)
    if batch.unwind_act == act_id:
        return
    if batch.unwind_act is not None or batch.state not in UNWINDABLE:
        raise ActRefused(f"batch {batch.batch_id} is {batch.state}: it can no more be unwound")
    batch.unwind_act, batch.due_at = act_id, timezone.now()
    if batch.state == BatchState.PROPOSED:  # no second signature: no chain can ever take it
        batch.state, batch.unwound_at = BatchState.UNWOUND, timezone.now()
    batch.save(update_fields=["unwind_act", "due_at", "state", "unwound_at"])
    if batch.state == BatchState.UNWOUND:
        act_complete(act_id=act_id, result={"batch_id": batch.batch_id})


@transaction.atomic
def _substitution_begin(
    act_id: UUID, batch_id: int, asset: int, account: int, amount_units: int
) -> None:
    batch = _batch_of(batch_id)
    if Substitution.objects.filter(act=act_id).exists():
        return
    if batch.state not in UNWINDABLE:
        raise ActRefused(f"batch {batch.batch_id} is {batch.state}: its debits are behind it")
    position = batch.positions.filter(account=account, asset=asset).first()
    if position is None or -position.amount_units < amount_units:
        raise ActRefused(
            f"account {account} gives {-position.amount_units if position else 0} units of asset "
            f"{asset} in batch {batch.batch_id}: the fund cannot pay {amount_units} of it"
        )
    if batch.substitutions.filter(account=account, asset=asset).exists():
        raise ActRefused(f"account {account}, asset {asset} is substituted already in this batch")
    Substitution.objects.create(
        batch=batch, act=act_id, asset=asset, account=account, amount_units=amount_units
    )


def _batch_of(batch_id: int) -> Batch:
    try:
        return locks.batch_lock(batch_id)
    except Batch.DoesNotExist:
        raise ActRefused(f"no batch {batch_id}") from None

"""The settler: takes a signed batch to the chain and watches until it is title.

What is next is read from the contract each time, never from what was sent: a batch may be carried
by anyone, and a reorganisation may take back any step. Two workers never advance one batch at once.
What the settler sends stands in `lanes`, what it decides in `plan`.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from custody import selectors as custody_selectors
from matching.protocol.faults import crash_point
from settlement import lanes, locks, selectors, services
from settlement.chain import client, encoding, lane, movements
from settlement.chain.client import Progress, Status
from settlement.errors import SettlementError
from settlement.models import (
    Batch,
    BatchState,
    Chunk,
    Deployment,
    ReserveMovement,
    Substitution,
    TransactionState,
)
from settlement.plan import Call, GasTerms, Step, steps_next

PASSES_MAX = 8
POLL_S = 1
BACKOFF_MAX_S = 8
ATTEMPTS_WHOLE = 3

logger = logging.getLogger(__name__)


def batch_advance(*, batch_id: int) -> None:
    """Take a batch as far as the chain lets it go now; may run twice and in two workers."""
    with locks.advisory(f"batch:{batch_id}") as held:
        if not held:
            return
        for _ in range(PASSES_MAX):
            batch = Batch.objects.get(batch_id=batch_id)
            if batch.state in (BatchState.PROPOSED, BatchState.CONFIRMED, BatchState.UNWOUND):
                return
            if not lanes.lane_advance(lanes.BATCHES) or not _pass(batch):
                return


def batches_lost_find() -> None:
    """Put confirmed batches which a deep reorganisation took back on their way again."""
    deployed = selectors.deployment()
    last = client.last_sequence_read(lanes.node(), deployed.settlement, "latest")
    with transaction.atomic():
        for batch in locks.batches_confirmed_lock(above_sequence=last):
            logger.error("batch %s left the chain after it was confirmed", batch.batch_id)
            batch.state, batch.due_at = BatchState.REORGANISED, timezone.now()
            batch.save(update_fields=["state", "due_at"])


def _pass(batch: Batch) -> bool:
    """Do what is due for the batch; tell whether looking again at once is worth while."""
    deployed = selectors.deployment()
    node, contract = lanes.node(), deployed.settlement
    final = client.progress_read(node, contract, batch.batch_id, "finalized")
    if final.status == Status.SETTLED:
        _confirm(batch, deployed)
        return False
    if final.status == Status.UNWOUND:
        services.batch_unwound(batch_id=batch.batch_id)
        return False
    latest = client.progress_read(node, contract, batch.batch_id, "latest")
    if batch.block_before is None:
        number = client.finalized_block(node)
        Batch.objects.filter(pk=batch.pk).update(block_before=number)
    if latest.status != Status.NONE:
        crash_point("settler.chunk_confirmed")
    if batch.unwind_act is not None and batch.unwind_signature is None:
        _defer(batch, POLL_S)
        return False
    chunks = list(batch.chunks.order_by("index"))
    single = batch.attempts < ATTEMPTS_WHOLE and gas_terms().fits_one(
        sum(chunk.deltas for chunk in chunks)
    )
    unwind = batch.unwind_signature is not None
    steps = steps_next(
        latest.status,
        latest.next_chunk,
        [chunk.phase for chunk in chunks],
        single=single or not chunks,
        unwind=unwind,
    )
    paying = any(chunks[step.index].phase for step in steps if step.index is not None)
    _label(batch, _state_shown(latest, steps, unwind=unwind, paying=paying))
    if not steps:
        _defer(batch, POLL_S)
        return False
    if latest.status in (Status.NONE, Status.COLLECTING) and not _substitutions_send(
        batch, deployed
    ):
        _defer(batch, POLL_S)
        return False
    return _steps_send(batch, deployed, steps, chunks, latest)


def gas_terms() -> GasTerms:
    """Return the figures by which a transaction's gas is reckoned."""
    return GasTerms(
        base=settings.SETTLEMENT_GAS_BASE,
        per_delta=settings.SETTLEMENT_GAS_PER_DELTA,
        per_chunk_hash=settings.SETTLEMENT_GAS_PER_CHUNK_HASH,
        cap=settings.SETTLEMENT_GAS_CAP,
    )


def _state_shown(
    latest: Progress, steps: list[Step], *, unwind: bool, paying: bool
) -> BatchState | None:
    """Return the state people are shown; None leaves it as it is."""
    if latest.status in (Status.UNWINDING, Status.UNWOUND) or unwind:
        return BatchState.UNWINDING
    if latest.status == Status.NONE:
        return BatchState.SETTLING if steps[0].call == Call.SETTLE else BatchState.OPENING
    if latest.status == Status.COLLECTING and not paying:
        return BatchState.COLLECTING
    return None if latest.status == Status.SETTLED else BatchState.PAYING


def _label(batch: Batch, state: BatchState | None) -> None:
    if state is not None and batch.state not in (state, BatchState.REORGANISED):
        batch.state = state
        Batch.objects.filter(pk=batch.pk).update(state=state)


def _defer(batch: Batch, seconds: int) -> None:
    due_at = timezone.now() + timedelta(seconds=seconds)
    Batch.objects.filter(pk=batch.pk).update(due_at=due_at)


def _steps_send(
    batch: Batch, deployed: Deployment, steps: list[Step], chunks: list[Chunk], latest: Progress
) -> bool:
    """Send the steps if the first would succeed now; tell whether a look at the chain is due."""
    under_way = set(
        batch.transactions.filter(state__in=lanes.UNDER_WAY).values_list("subject", flat=True)
    )
    missing = [step for step in steps if step.subject(batch.batch_id) not in under_way]
    if not missing:
        _defer(batch, POLL_S)
        return False
    if missing[0] == steps[0]:
        data, gas = _call(batch, steps[0], chunks)
        error = _refusal(deployed, data, gas)
        if error:
            _blocked(batch, deployed, latest, error)
            return False
    for step in missing:
        data, gas = _call(batch, step, chunks)
        _send(batch, deployed, step.subject(batch.batch_id), data, gas)
    Batch.objects.filter(pk=batch.pk).update(
        error="", due_at=timezone.now() + timedelta(seconds=POLL_S)
    )
    return True


def _call(batch: Batch, step: Step, chunks: list[Chunk]) -> tuple[bytes, int]:
    """Return calldata and gas limit of a step."""
    gas = gas_terms()
    terms = encoding.Batch(
        batch.batch_id,
        batch.from_sequence,
        batch.to_sequence,
        bytes(batch.fills_root),
        bytes(batch.chunks_hash),
    )
    signatures = bytes(batch.venue_signature), bytes(batch.clearing_signature or b"")
    if step.call == Call.SETTLE:
        data = lane.settle_call(terms, *signatures, [bytes(chunk.data) for chunk in chunks])
        return data, gas.chunk(sum(chunk.deltas for chunk in chunks))
    if step.call == Call.OPEN:
        data = lane.open_call(terms, [bytes(chunk.hash) for chunk in chunks], *signatures)
        return data, gas.opening(len(chunks))
    if step.call == Call.UNWIND:
        return lane.unwind_call(batch.batch_id, bytes(batch.unwind_signature or b"")), gas.base
    assert step.index is not None
    chunk = chunks[step.index]
    build = lane.apply_call if step.call == Call.CHUNK else lane.refund_call
    return build(batch.batch_id, chunk.index, bytes(chunk.data)), gas.chunk(chunk.deltas)


def _send(batch: Batch, deployed: Deployment, subject: str, data: bytes, gas: int) -> None:
    lanes.transaction_send(
        lane_name=lanes.BATCHES,
        subject=subject,
        target=deployed.settlement,
        data=data,
        gas=gas,
        batch_id=batch.batch_id,
    )


def _refusal(deployed: Deployment, data: bytes, gas: int) -> str | None:
    """Return why the contract would refuse the call now, or None."""
    return lanes.call_refusal(lanes.BATCHES, deployed.settlement, data, gas)


def _blocked(batch: Batch, deployed: Deployment, latest: Progress, error: str) -> None:
    """Note what stands in the way and try again later; unwind when the contract's time is over.

    A batch refused as a whole some times is opened in chunks, so that its time begins to run.
    """
    attempts = batch.attempts + 1
    logger.warning("batch %s cannot go on (attempt %s): %s", batch.batch_id, attempts, error)
    Batch.objects.filter(pk=batch.pk).update(attempts=attempts, error=error[:500])
    _defer(batch, min(2**attempts, BACKOFF_MAX_S))
    if latest.status == Status.COLLECTING:
        data, gas = lane.unwind_call(batch.batch_id, b""), gas_terms().base
        if _refusal(deployed, data, gas) is None:
            _send(batch, deployed, Step(Call.UNWIND).subject(batch.batch_id), data, gas)


def _substitutions_send(batch: Batch, deployed: Deployment) -> bool:
    """Register signed substitutions at the contract; tell whether all of them stand there."""
    tokens = selectors.token_addresses()
    for cover in batch.substitutions.filter(registered_at__isnull=True).order_by("pk"):
        if cover.clearing_signature is None or cover.venue_signature is None:
            continue
        subject = f"batch:{batch.batch_id}:substitute:{cover.pk}"
        states = set(batch.transactions.filter(subject=subject).values_list("state", flat=True))
        if states & set(lanes.UNDER_WAY):
            return False
        if states & {TransactionState.MINED, TransactionState.FINAL}:
            _registered(cover)
            continue
        address = custody_selectors.account_addresses([cover.account])[cover.account]
        data = lane.substitute_call(
            batch.batch_id,
            tokens[cover.asset],
            address,
            cover.amount_units,
            bytes(cover.venue_signature),
            bytes(cover.clearing_signature),
        )
        error = _refusal(deployed, data, gas_terms().base)
        if error is None:
            _send(batch, deployed, subject, data, gas_terms().base)
            return False
        if error.startswith("WrongCover"):  # carried by another hand
            _registered(cover)
            continue
        logger.warning("substitution %s of batch %s: %s", cover.pk, batch.batch_id, error)
    return True


def _registered(cover: Substitution) -> None:
    Substitution.objects.filter(pk=cover.pk).update(registered_at=timezone.now())


def _confirm(batch: Batch, deployed: Deployment) -> None:
    """Record that the finalised block holds exactly the batch that was signed.

    Raises `SettlementError` when the contract holds another root under this id.
    """
    node, contract = lanes.node(), deployed.settlement
    root = client.batch_root(node, contract, batch.batch_id, "finalized")
    if root != bytes(batch.fills_root):
        raise SettlementError(
            f"batch {batch.batch_id}: the chain holds root {root.hex() if root else None}, "
            f"signed was {bytes(batch.fills_root).hex()}"
        )
    moved = reserve_movements(batch, deployed, client.finalized_block(node))
    gas = batch.transactions.aggregate(used=Sum("gas_used"))["used"] or 0
    crash_point("settler.before_confirm")
    services.batch_confirm(batch_id=batch.batch_id, gas_used=gas, movements=moved)
    crash_point("settler.after_confirm")


def reserve_movements(batch: Batch, deployed: Deployment, to_block: int) -> list[ReserveMovement]:
    """Return what the batch moved through suspense or the guarantee fund, up to a block."""
    tokens = {address: asset for asset, address in selectors.token_addresses().items()}
    found = movements.reserve_movements_read(
        lanes.node(),
        deployed.settlement,
        list(tokens),
        batch.batch_id,
        (batch.block_before or deployed.block_number) + 1,
        to_block,
    )
    accounts = {
        account.address: number
        for number, account in (custody_selectors.accounts_by_number() if found else {}).items()
    }
    return [
        ReserveMovement(
            batch=batch,
            kind=one.kind,
            account=accounts[one.account],
            asset=tokens[one.token],
            amount_units=one.amount_units,
        )
        for one in found
    ]

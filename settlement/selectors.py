"""What the clearing house tells others: settled ranges, open work, addresses. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Sum
from django.utils import timezone

from custody import selectors as custody_selectors
from settlement import netting
from settlement.chain import encoding
from settlement.errors import InstanceDiffers, NotDeployed
from settlement.models import (
    Batch,
    BatchState,
    ChainSight,
    ChainTransaction,
    Deployment,
    DepositPosition,
    Obligation,
    ObligationPosition,
    Reconciliation,
    Substitution,
    TransactionState,
)

# Units have 63 bits: none needs to become a Decimal where thousands are read.
_OBLIGATIONS_SQL = (
    "SELECT "
    + ", ".join(
        f"{name}::bigint" if name.endswith("_units") else name
        for name in netting.Obligation._fields
    )
    + f" FROM {Obligation._meta.db_table} WHERE sequence BETWEEN %s AND %s"
    + " ORDER BY sequence, fill_id"
)
# States in which no debit has been paid out yet.
UNWINDABLE = (
    BatchState.PROPOSED,
    BatchState.SIGNED,
    BatchState.SETTLING,
    BatchState.OPENING,
    BatchState.COLLECTING,
)


@dataclass(frozen=True, slots=True)
class BatchRange:
    """What the venue may propose next; `to_sequence` is set when an unwound range comes again."""

    batch_id: int
    from_sequence: int
    to_sequence: int | None


def deployment() -> Deployment:
    """Return the contracts of this instance.

    Raises `NotDeployed` before `chain_deploy`, `InstanceDiffers` when the row is another's.
    """
    found = Deployment.objects.first()
    if found is None:
        raise NotDeployed("no deployment is written down: run `manage.py chain_deploy`")
    if found.instance != settings.INSTANCE_ID:
        raise InstanceDiffers(
            f"this process is instance {settings.INSTANCE_ID}, "
            f"the deployment is of instance {found.instance}"
        )
    return found


def batch_domain() -> encoding.Domain:
    """Return the EIP-712 domain in which batches, unwinds and substitutions are signed."""
    found = deployment()
    return encoding.Domain(found.chain_id, found.settlement, found.instance)


def token_addresses() -> dict[int, str]:
    """Return each asset's token."""
    return {int(asset): address for asset, address in deployment().tokens.items()}


def deposits_position() -> int:
    """Return the last block whose transfers were handed to custody.

    The reading starts at the block of the deployment: before it no account held a token.
    """
    known = DepositPosition.objects.filter(id=1).values_list("block_number", flat=True).first()
    return deployment().block_number if known is None else known


def obligations_position() -> int:
    """Return the last engine sequence whose obligations are stored."""
    return ObligationPosition.objects.filter(id=1).values_list("sequence", flat=True).first() or 0


def obligations_between(from_sequence: int, to_sequence: int) -> list[netting.Obligation]:
    """Return the obligations of a range of engine sequences, both ends included, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_OBLIGATIONS_SQL, [from_sequence, to_sequence])
        return list(map(netting.Obligation._make, cursor.fetchall()))


def settled_sequence() -> int:
    """Return the sequence up to which every fill is title: that of the last confirmed batch."""
    confirmed = Batch.objects.filter(state=BatchState.CONFIRMED)
    return int(confirmed.aggregate(last=Max("to_sequence"))["last"] or 0)


@dataclass(frozen=True, slots=True)
class Settled:
    """What confirmed batches have carried to the chain so far, and the gas our lane paid."""

    batches: int
    fills: int
    gas_used: int


def settled_totals() -> Settled:
    """Return the sums over all confirmed batches."""
    sums = Batch.objects.filter(state=BatchState.CONFIRMED).aggregate(
        batches=Count("pk"), fills=Sum("fills"), gas_used=Sum("gas_used")
    )
    return Settled(sums["batches"], sums["fills"] or 0, sums["gas_used"] or 0)


def settled_fills() -> int:
    """Return how many fills confirmed batches carried to the chain."""
    return settled_totals().fills


def open_batch() -> Batch | None:
    """Return the batch that is neither confirmed nor unwound, if there is one."""
    done = [BatchState.CONFIRMED, BatchState.UNWOUND, BatchState.REORGANISED]
    return Batch.objects.exclude(state__in=done).order_by("batch_id").first()


def batches_open() -> dict[str, int]:
    """Return how many batches are in each state on their way; finished ones are left out."""
    rows = Batch.objects.exclude(state__in=[BatchState.CONFIRMED, BatchState.UNWOUND])
    return dict(rows.order_by().values_list("state").annotate(Count("pk")))


def transactions_pending() -> int:
    """Return how many transactions of our lanes no block is known to hold."""
    pending = [TransactionState.STORED, TransactionState.BROADCAST]
    return ChainTransaction.objects.filter(state__in=pending).count()


def next_batch_range() -> BatchRange | None:
    """Return id and range the next batch must have, or None while one is under way."""
    standing = Batch.objects.exclude(state=BatchState.UNWOUND)
    if standing.exclude(state=BatchState.CONFIRMED).exists():
        return None
    last_id = Batch.objects.aggregate(last=Max("batch_id"))["last"] or 0
    settled = settled_sequence()
    unwound = (
        Batch.objects.filter(state=BatchState.UNWOUND, from_sequence=settled + 1)
        .order_by("-batch_id")
        .first()
    )
    return BatchRange(last_id + 1, settled + 1, unwound.to_sequence if unwound else None)


def batch_compose(
    *,
    batch_id: int,
    from_sequence: int,
    to_sequence: int,
    obligations: Iterable[netting.Obligation],
) -> netting.ComposedBatch:
    """Compose a batch with this instance's tokens, account addresses and chunk size.

    Venue and both signers use it, each over obligations from its own source. Raises ValueError as
    `netting.batch_compose` does, `NotDeployed`.
    """
    dues = list(obligations)
    numbers = netting.accounts_of(dues)
    return netting.batch_compose(
        batch_id=batch_id,
        from_sequence=from_sequence,
        to_sequence=to_sequence,
        obligations=dues,
        tokens=token_addresses(),
        accounts=custody_selectors.account_addresses(numbers | {netting.REVENUE_ACCOUNT}),
        max_deltas=settings.SETTLEMENT_DELTAS_PER_CHUNK,
    )


def substitutions_to_cosign() -> list[Substitution]:
    """Return substitutions signed by the clearing house that wait for the venue's signature."""
    return list(
        Substitution.objects.filter(
            clearing_signature__isnull=False,
            venue_signature__isnull=True,
            batch__state__in=UNWINDABLE,
        ).order_by("pk")
    )


def batches_due(limit: int = 16) -> list[int]:
    """Return ids of batches whose next step is due, oldest first."""
    waiting = Batch.objects.exclude(
        state__in=[BatchState.PROPOSED, BatchState.CONFIRMED, BatchState.UNWOUND]
    ).filter(due_at__lte=timezone.now())
    return list(waiting.order_by("batch_id").values_list("batch_id", flat=True)[:limit])


def chain_sight() -> ChainSight | None:
    """Return the chain's newest block as it was last seen, None before the deployment."""
    return ChainSight.objects.first()


def reconciliation_last() -> Reconciliation | None:
    """Return the newest comparison of engine, ledger, chain and holdings."""
    return Reconciliation.objects.order_by("-pk").first()

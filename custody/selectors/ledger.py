"""Questions about the ledger."""

from collections.abc import Iterator

from django.db.models import Sum

from custody.models import Entry, LedgerPosition, Posting

# What accounts owe each other: it becomes title by the clearing house's batches.
NETTED = (Entry.Kind.FILL, Entry.Kind.TRANSFER, Entry.Kind.CONVERSION)


def ledger_position() -> int:
    """Return the last sequence number that the ledger has passed."""
    return LedgerPosition.objects.get().sequence


def ledger_balances(*, upto_sequence: int | None = None) -> dict[tuple[int, int], int]:
    """Return summed postings by (account, asset), up to and with a sequence number; zeros left out.

    The outside account stands below zero by what is in the house.
    """
    rows = Posting.objects.all()
    if upto_sequence is not None:
        rows = rows.filter(entry__sequence__lte=upto_sequence)
    sums = rows.order_by().values_list("account_id", "asset_id").annotate(Sum("amount_units"))
    return {(account, asset): int(units) for account, asset, units in sums if units}


def ledger_postings(
    *, account: int, asset: int, after_sequence: int = 0, upto_sequence: int | None = None
) -> Iterator[tuple[int, str, int, bool]]:
    """Yield (sequence, reference, signed units, netted) of one account and asset, in order.

    What is netted is settled by batches, everything else by itself.
    """
    rows = Posting.objects.filter(
        account_id=account, asset_id=asset, entry__sequence__gt=after_sequence
    )
    if upto_sequence is not None:
        rows = rows.filter(entry__sequence__lte=upto_sequence)
    ordered = rows.order_by("entry__sequence", "entry__index")
    columns = ("entry__sequence", "entry__reference", "amount_units", "entry__kind")
    for sequence, reference, units, kind in ordered.values_list(*columns).iterator(chunk_size=2000):
        yield sequence, reference, units, kind in NETTED

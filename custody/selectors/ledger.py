"""Questions about the ledger."""

from collections.abc import Iterator

from django.db.models import Sum

from custody.models import LedgerPosition, Posting


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
) -> Iterator[tuple[int, str, int]]:
    """Yield (sequence, reference, signed units) of one account and asset, in order."""
    rows = Posting.objects.filter(
        account_id=account, asset_id=asset, entry__sequence__gt=after_sequence
    )
    if upto_sequence is not None:
        rows = rows.filter(entry__sequence__lte=upto_sequence)
    ordered = rows.order_by("entry__sequence", "entry__index")
    yield from ordered.values_list("entry__sequence", "entry__reference", "amount_units").iterator(
        chunk_size=2000
    )

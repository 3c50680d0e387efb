"""Every row lock of orders, fills and batch proposals."""

from exchange.trading.models import BatchProposal, ProjectorPosition


def projector_position_move(*, before: int, after: int) -> bool:
    """Move the projector's position and lock it for the transaction; False unless at `before`."""
    return bool(ProjectorPosition.objects.filter(sequence=before).update(sequence=after))


def proposal_lock(batch_id: int) -> BatchProposal:
    """Lock one batch proposal for the transaction. Raises `BatchProposal.DoesNotExist`."""
    return BatchProposal.objects.select_for_update(no_key=True).get(batch_id=batch_id)

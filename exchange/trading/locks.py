"""Every row lock of orders, fills and batch proposals."""

from exchange.trading.models import BatchProposal, ProjectorPosition


def projector_position_lock() -> ProjectorPosition:
    """Lock the projector's position for the transaction, so that only one projector writes."""
    return ProjectorPosition.objects.select_for_update(no_key=True).get(id=1)


def proposal_lock(batch_id: int) -> BatchProposal:
    """Lock one batch proposal for the transaction. Raises `BatchProposal.DoesNotExist`."""
    return BatchProposal.objects.select_for_update(no_key=True).get(batch_id=batch_id)

"""Every row lock of orders and fills."""

from exchange.trading.models import ProjectorPosition


def projector_position_lock() -> ProjectorPosition:
    """Lock the projector's position for the transaction, so that only one projector writes."""
    return ProjectorPosition.objects.select_for_update().get(id=1)

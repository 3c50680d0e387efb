"""The clearing house's relayed work that may become a dead letter: a batch that gets no further.

A batch is never given up: it stands between every fill and title. It counts as dead when something
has stood in its way `ATTEMPTS_DEAD` times, or for longer than `STUCK_S`.
"""

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from compliance.dead_letters import ATTEMPTS_DEAD, Queue
from compliance.wake import wake
from settlement.models import Batch, BatchState
from settlement.services.batches import ADVANCE_TASK

STUCK_S = 600


def _batches() -> QuerySet[Batch]:
    stuck = Q(proposed_at__lt=timezone.now() - timedelta(seconds=STUCK_S))
    rows = Batch.objects.exclude(state__in=[BatchState.CONFIRMED, BatchState.UNWOUND])
    dead = rows.exclude(error="").filter(stuck | Q(attempts__gte=ATTEMPTS_DEAD))
    return dead.order_by("batch_id")


QUEUES = (
    Queue(
        kind="settlement.batch",
        body=lambda batch: "clearing",
        dead=_batches,
        show=lambda batch: (batch.state, batch.attempts, batch.error, batch.proposed_at),
        revive=lambda rows: rows.update(attempts=0, error="", due_at=timezone.now()),
        woken=lambda batch: wake(ADVANCE_TASK, batch.pk),
    ),
)

"""The venue's relayed work that may become a dead letter: a batch nobody signs or takes.

Such a proposal stays as it is until people have found out why; requeued, its range is netted anew.
"""

from django.db import connection

from compliance.dead_letters import Queue
from exchange.trading.batches import CHANNEL
from exchange.trading.models import BatchProposal, BatchProposalState

_STANDING = (BatchProposalState.PROPOSED, BatchProposalState.SIGNED)


def _woken(proposal: BatchProposal) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


QUEUES = (
    Queue(
        kind="venue.batch",
        body=lambda proposal: "venue",
        dead=lambda: (
            BatchProposal.objects.filter(state__in=_STANDING).exclude(error="").order_by("batch_id")
        ),
        show=lambda proposal: (proposal.state, 0, proposal.error, proposal.proposed_at),
        revive=lambda rows: rows.update(state=BatchProposalState.REPLACED),
        woken=_woken,
    ),
)

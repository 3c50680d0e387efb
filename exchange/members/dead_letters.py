"""Members' relayed work that may become a dead letter: an applicant who cannot be admitted."""

from django.utils import timezone

from compliance.dead_letters import ATTEMPTS_DEAD, Queue
from compliance.wake import wake
from exchange.members import selectors
from exchange.members.services import ADMIT_TASK, BODY

QUEUES = (
    Queue(
        kind="venue.application",
        body=lambda application: BODY,
        dead=lambda: (
            selectors.applications_admissible()
            .filter(attempts__gte=ATTEMPTS_DEAD)
            .order_by("applied_at")
        ),
        show=lambda application: (
            "identified",
            application.attempts,
            application.error,
            application.applied_at,
        ),
        revive=lambda rows: rows.update(attempts=0, error="", due_at=timezone.now()),
        woken=lambda application: wake(ADMIT_TASK),
    ),
)

"""The states of a withdrawal, each change kept with its due time and audited; decides nothing."""

from typing import Any

from django.utils import timezone

from compliance import services as compliance
from compliance.wake import wake
from custody.models import Withdrawal
from custody.services.charges import charge_move, charge_void

BODY = "custody"
ADVANCE_TASK = "custody.withdrawal_advance"

State = Withdrawal.State


def move(withdrawal: Withdrawal, state: State) -> None:
    """Store a locked withdrawal's new state, with all that led to it."""
    withdrawal.state, withdrawal.due_at, withdrawal.attempts = state, timezone.now(), 0
    withdrawal.save(
        update_fields=[
            "state",
            "due_at",
            "attempts",
            "reason",
            "engine_sequence",
            "cover_sequence",
            "cover_signature",
            "executed_at",
            "closed_at",
        ]
    )


def execute(withdrawal: Withdrawal) -> None:
    """Store that a locked withdrawal's units have left for good; its charges go to revenue."""
    withdrawal.executed_at = timezone.now()
    charge_move(withdrawal)
    move(withdrawal, State.EXECUTED)


def close(withdrawal: Withdrawal, state: State) -> None:
    """Store the last state of a locked withdrawal.

    Bars and charges of units that never left are free and void.
    """
    withdrawal.closed_at = timezone.now()
    if withdrawal.executed_at is None:
        withdrawal.bars.all().delete()
        charge_void(withdrawal)
    move(withdrawal, state)


def begin_return(withdrawal: Withdrawal, reason: str) -> None:
    """Have the units of a locked withdrawal given back."""
    withdrawal.reason = reason[:500]
    move(withdrawal, State.RETURNING)
    wake(ADVANCE_TASK, str(withdrawal.pk))


def audit(withdrawal: Withdrawal, action: str, detail: dict[str, Any]) -> None:
    """Append what happened to the audit log; call it last."""
    compliance.audit_append(
        body=BODY,
        actor="process:custody",
        action=action,
        subject=f"withdrawal:{withdrawal.pk}",
        detail=detail,
    )

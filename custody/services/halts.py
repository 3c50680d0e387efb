"""The halt of withdrawals: set by the reconciler, lifted by two officers."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from compliance import intent_life
from compliance import services as compliance
from compliance.intents import IntentState
from custody.errors import NotFound
from custody.models import CustodyIntent, PaymentOrder, ReleaseDue, WithdrawalHalt
from custody.services.charges import KIND as CHARGE
from custody.services.withdrawing import BURN, TRANSFER

BODY = "custody"


@transaction.atomic
def withdrawals_halt(reason: str) -> WithdrawalHalt:
    """Halt withdrawals; while a halt for the same reason stands it is returned unchanged."""
    standing = WithdrawalHalt.objects.filter(reason=reason, lifted_at=None).first()
    if standing is not None:
        return standing
    halt = WithdrawalHalt.objects.create(reason=reason)
    _audit("process:reconciler", "withdrawals.halted", halt, {"reason": reason})
    return halt


def withdrawals_resume_act(act_id: UUID, payload: dict[str, Any]) -> dict[str, Any]:
    """Lift the halt that officers named. Raises `NotFound`."""
    withdrawals_resume(halt_id=payload["halt"], act_id=act_id)
    return {"halt": payload["halt"]}


def withdrawals_resume(*, halt_id: int, act_id: UUID) -> None:
    """Lift a halt under an executed act, in its transaction; the signer looks at what waited.

    Raises `NotFound`.
    """
    halt = WithdrawalHalt.objects.filter(pk=halt_id, lifted_at=None).first()
    if halt is None:
        raise NotFound(f"no halt {halt_id} in force")
    halt.lifted_at = timezone.now()
    halt.lifted_by_id = act_id
    halt.save(update_fields=["lifted_at", "lifted_by"])
    waited = CustodyIntent.objects.filter(
        kind__in=[BURN, TRANSFER, CHARGE], state=IntentState.AWAITING
    )
    waited.update(state=IntentState.REQUESTED, due_at=timezone.now())
    unpaid = PaymentOrder.objects.filter(state=PaymentOrder.State.DUE, deposit=None)
    unpaid.update(due_at=timezone.now())
    ReleaseDue.objects.filter(signature=None).update(due_at=timezone.now())
    intent_life.notify(BODY)
    _audit("process:custody", "withdrawals.resumed", halt, {"act": str(act_id)})


def _audit(actor: str, action: str, halt: WithdrawalHalt, detail: dict[str, str]) -> None:
    compliance.audit_append(
        body=BODY, actor=actor, action=action, subject=f"withdrawal_halt:{halt.pk}", detail=detail
    )

"""A withdrawal on its way back: voided on chain, then credited; and what officers decide on one.

A signature that is out can be carried by anybody until its deadline, so nothing is credited before
the finalised block has passed it.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from compliance import intent_life
from compliance.intents import IntentState
from compliance.wake import wake
from custody import locks, selectors
from custody.errors import Conflict, NotYet
from custody.models import CustodyIntent, Withdrawal
from custody.services.charges import charge_give_back
from custody.services.crediting import engine_credit
from custody.services.withdrawal_life import ADVANCE_TASK, BODY, audit, begin_return, close
from matching.protocol.faults import crash_point

# Errors of the contracts which no later attempt is spared: the units go back to the account.
FINAL_REFUSALS = ("AccountFrozen", "NotVerified", "ERC20InvalidReceiver")

State = Withdrawal.State


def withdrawal_refused(intent_id: UUID, error: str) -> None:
    """Give the units back when the contract's refusal is final; other errors are tried again."""
    if not error.startswith(FINAL_REFUSALS):
        return
    with transaction.atomic():
        withdrawal = locks.withdrawal_lock(intent_id)
        if withdrawal.state in (State.COVERED, State.SIGNED):
            begin_return(withdrawal, f"the chain refused: {error}")


def withdrawal_return(*, withdrawal_id: UUID, reason: str) -> None:
    """Begin to give the units back, in the caller's transaction. Raises `NotFound`, `Conflict`."""
    withdrawal = locks.withdrawal_lock(withdrawal_id)
    if withdrawal.state not in (State.HELD, State.COVERED, State.SIGNED):
        raise Conflict(f"withdrawal {withdrawal_id} is {withdrawal.state}, nothing can be returned")
    begin_return(withdrawal, reason)


@transaction.atomic
def withdrawal_voided(*, intent_id: UUID, deadline: int) -> bool:
    """Note that a signature ran out unused at the finalised block; the units may go back now.

    False when the intent was signed anew since, with another deadline.
    """
    void = CustodyIntent.objects.filter(
        pk=intent_id,
        deadline=deadline,
        withdrawal__state=State.RETURNING,
        state__in=[IntentState.SIGNED, IntentState.SUBMITTED, IntentState.FAILED],
    )
    if not void.update(state=IntentState.VOID, deadline=0, error="ran out unused"):
        return False
    wake(ADVANCE_TASK, str(intent_id))
    return True


def withdrawal_give_back(withdrawal: Withdrawal) -> None:
    """Credit the units again, once no signature can take them out on chain any more.

    Raises `NotYet` before that.
    """
    with transaction.atomic():
        locked = locks.withdrawal_lock(withdrawal.pk)
        if locked.state != State.RETURNING:
            return
        unsigned = CustodyIntent.objects.filter(pk=locked.pk, deadline=0)
        unsigned.update(state=IntentState.VOID, error="the withdrawal is returned")
        if CustodyIntent.objects.filter(pk=locked.pk).exclude(deadline=0).exists():
            raise NotYet(f"the signature of withdrawal {locked.pk} has not run out")
    reference = selectors.return_reference(withdrawal.pk)
    sequence = engine_credit(
        account=withdrawal.account_id,
        asset=withdrawal.asset_id,
        amount_units=withdrawal.amount_units,
        reference=reference,
    )
    charge_give_back(withdrawal)
    crash_point("withdrawal.returned")
    with transaction.atomic():
        locked = locks.withdrawal_lock(withdrawal.pk)
        if locked.state == State.RETURNED:
            return
        locked.return_sequence = sequence
        locked.save(update_fields=["return_sequence"])
        close(locked, State.RETURNED)
        audit(locked, "withdrawal.returned", {"reason": locked.reason})


def withdraw_approve(act_id: UUID, payload: dict[str, Any]) -> dict[str, Any]:
    """Put two officers' approval under a withdrawal; its signer checks both signatures."""
    withdrawal = locks.withdrawal_lock(UUID(payload["withdrawal"]))
    expected = withdrawal_payload(withdrawal)
    if payload != expected:
        raise Conflict(f"act says {payload}, the withdrawal {expected}")
    if not withdrawal.open or withdrawal.act_id is not None:
        raise Conflict(f"withdrawal {withdrawal.pk} is {withdrawal.state}, or approved already")
    withdrawal.act_id = act_id
    withdrawal.save(update_fields=["act"])
    CustodyIntent.objects.filter(pk=withdrawal.pk).update(due_at=timezone.now())
    intent_life.notify(BODY)
    return {"withdrawal": str(withdrawal.pk)}


def withdraw_return(act_id: UUID, payload: dict[str, Any]) -> dict[str, Any]:
    """Give a withdrawal back on two officers' word."""
    withdrawal_return(withdrawal_id=UUID(payload["withdrawal"]), reason=f"act {act_id}")
    return {"withdrawal": payload["withdrawal"]}


def withdrawal_payload(withdrawal: Withdrawal) -> dict[str, Any]:
    """Return what officers sign to approve a withdrawal."""
    return {
        "withdrawal": str(withdrawal.pk),
        "account": withdrawal.account_id,
        "asset": withdrawal.asset_id,
        "amount_units": withdrawal.amount_units,
        "kind": str(withdrawal.kind),
        "destination": withdrawal.destination,
    }

"""The life of an intent: requested by a service, signed by the signer, carried by clearing.

Shared by compliance and custody, each over its own table; what follows a state is theirs.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from compliance.errors import NotFound
from compliance.intents import UNSIGNED, ChainIntent, ExecutableIntent, IntentState
from compliance.models import ChainAddresses

EXECUTE_TASK = "settlement.intents_execute"
LIFETIME_S = 3600
# An intent whose deadline is nearer is not carried any more, but signed anew.
DEADLINE_MARGIN_S = 120
RETRY_DELAY_MAX_S = 60
ATTEMPTS_MAX = 30

AnyIntent = TypeVar("AnyIntent", bound=ChainIntent)


def intent_request(intent: ChainIntent, *, body: str) -> None:
    """Store a new intent in the caller's transaction and notify the body's signer."""
    intent.save(force_insert=True)
    notify(body)


def intents_signable(rows: QuerySet[AnyIntent], *, limit: int) -> list[AnyIntent]:
    """Return what the signer should look at: unsigned and due, or signed and about to expire."""
    expiring = Q(
        state__in=[IntentState.SIGNED, IntentState.SUBMITTED],
        deadline__lt=int(time.time()) + DEADLINE_MARGIN_S,
    )
    waiting = rows.filter(Q(state__in=UNSIGNED) | expiring, due_at__lte=timezone.now())
    return list(waiting.order_by("created_at")[:limit])


@transaction.atomic
def intent_signed(
    intent: ChainIntent,
    *,
    body: str,
    signature: bytes,
    deadline: int,
    then: Callable[[Any], object] | None = None,
) -> bool:
    """Store a signature, and call `then` in the same transaction; the caller wakes who carries it.

    False when the intent has moved on.
    """
    assert len(signature) == 65
    rows = type(intent)._default_manager.filter(
        pk=intent.pk,
        state__in=[*UNSIGNED, IntentState.SIGNED, IntentState.SUBMITTED],
        data=intent.data,
        target=intent.target,
    )
    signed = rows.update(
        signature=signature,
        deadline=deadline,
        state=IntentState.SIGNED,
        due_at=timezone.now(),
        attempts=0,
        error="",
    )
    if signed:
        if then is not None:
            then(intent)
        notify(body)
    return bool(signed)


def intent_deferred(intent: ChainIntent, *, error: str) -> None:
    """Note why the signer refused; it looks again later, for its policy may have grown."""
    state = IntentState.REQUESTED if intent.state in UNSIGNED else intent.state
    type(intent)._default_manager.filter(pk=intent.pk, state=intent.state).update(
        state=state, error=error, attempts=F("attempts") + 1, due_at=_later(intent.attempts + 1)
    )


def intent_awaiting(intent: ChainIntent, *, error: str) -> None:
    """Note that officers must decide: no failure, so it is not counted and looked at each minute.

    A signature that is out stays so.
    """
    state = IntentState.AWAITING if intent.state in UNSIGNED else intent.state
    due_at = timezone.now() + timedelta(seconds=RETRY_DELAY_MAX_S)
    type(intent)._default_manager.filter(pk=intent.pk, state=intent.state).update(
        state=state, error=error, attempts=0, due_at=due_at
    )


def intents_executable(
    rows: QuerySet[AnyIntent], *, body: str, limit: int
) -> list[ExecutableIntent]:
    """Return signed intents that are due and far enough from their deadline, oldest first."""
    due = rows.filter(
        state=IntentState.SIGNED,
        due_at__lte=timezone.now(),
        deadline__gt=int(time.time()) + DEADLINE_MARGIN_S,
    ).order_by("created_at")[:limit]
    chain = ChainAddresses.objects.filter(body=body).first() if due else None
    if chain is None:
        return []
    return [
        ExecutableIntent(
            id=intent.id,
            body=body,
            kind=intent.kind,
            authority=chain.authority,
            target=intent.target,
            data=bytes(intent.data),
            id_bytes=intent.chain_id_bytes,
            deadline=intent.deadline,
            signature=bytes(intent.signature or b""),
        )
        for intent in due
    ]


def intent_submitted(rows: QuerySet[AnyIntent], intent_id: UUID) -> None:
    """Note that a transaction carries the intent; again, or once confirmed, changes nothing."""
    _state_set(rows, intent_id, IntentState.SUBMITTED, [IntentState.SIGNED])


def intent_confirmed(rows: QuerySet[AnyIntent], intent_id: UUID) -> bool:
    """Note that the chain holds the call, finally; True the first time."""
    return _state_set(
        rows,
        intent_id,
        IntentState.CONFIRMED,
        [state for state in IntentState if state != IntentState.CONFIRMED],
        confirmed_at=timezone.now(),
    )


def intent_failed(rows: QuerySet[AnyIntent], intent_id: UUID, error: str) -> None:
    """Note that carrying it failed; it is due again later, and failed for good in the end."""
    intent = rows.filter(pk=intent_id).first()
    if intent is None:
        raise NotFound(f"no intent {intent_id}")
    last = intent.attempts + 1 >= ATTEMPTS_MAX
    _state_set(
        rows,
        intent_id,
        IntentState.FAILED if last else IntentState.SIGNED,
        [IntentState.SIGNED, IntentState.SUBMITTED],
        error=error,
        attempts=F("attempts") + 1,
        due_at=_later(intent.attempts + 1),
    )


def _state_set(
    rows: QuerySet[AnyIntent],
    intent_id: UUID,
    state: IntentState,
    before: list[IntentState],
    **values: object,
) -> bool:
    if rows.filter(pk=intent_id, state__in=before).update(state=state, **values):
        return True
    if not rows.filter(pk=intent_id).exists():
        raise NotFound(f"no intent {intent_id}")
    return False


def _later(attempts: int) -> datetime:
    return timezone.now() + timedelta(seconds=min(2**attempts, RETRY_DELAY_MAX_S))


def notify(body: str) -> None:
    """Wake the body's signer when the caller's transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [f"{body}_intents"])

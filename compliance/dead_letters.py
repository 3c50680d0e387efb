"""Dead letters: relayed work that has failed so often that a person should look.

Such a row stays due, or is given up by its body, and holds up no other; here it is shown and, by an
officer of its body, set going again. Each body names its queues in its own `dead_letters`. A failed
act is none: its officers propose it anew. What must not live here: what the work is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from compliance import intent_life
from compliance.acts import signature_verify
from compliance.canonical import JSON, canonical_json
from compliance.errors import Forbidden, Invalid, NotFound, SignatureInvalid
from compliance.intents import IntentState
from compliance.models import Act, Officer, RegistryIntent
from compliance.services.acts import TASK_PREFIX
from compliance.services.audit import audit_append
from compliance.wake import wake

ATTEMPTS_DEAD = 8
LISTED_MAX = 200
REASON_LENGTH_MAX = 500
_DOMAIN = b"nexus-requeue-v1\n"


@dataclass(frozen=True)
class DeadLetter:
    """One row as people see it; `error` is the last one noted, empty where the table keeps none."""

    kind: str
    id: str
    body: str
    state: str
    attempts: int
    error: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One kind of relayed work of one body.

    `dead` returns its dead letters, `show` what they say, `revive` makes rows of them due again and
    returns how many, `woken` is called with such a row in the same transaction.
    """

    kind: str
    body: Callable[[Any], str]
    dead: Callable[[], QuerySet[Any]]
    show: Callable[[Any], tuple[str, int, str, datetime]]
    revive: Callable[[QuerySet[Any]], int]
    woken: Callable[[Any], None]


def table_queue(
    kind: str,
    body: str,
    rows: Callable[[], QuerySet[Any]],
    *,
    waiting: Iterable[str],
    failed: Mapping[str, str] | None = None,
    error: str = "",
    woken: Callable[[Any], None] | None = None,
    task: str = "",
    since: str = "created_at",
) -> Queue:
    """Return the queue of a table with `state`, `due_at` and `attempts`, made at `since`.

    Dead is what waits in one of the states and has failed `ATTEMPTS_DEAD` times, or is in a
    `failed` state, which names the one it goes back to. `error` is the column that says why; `task`
    is woken with the row's id.
    """
    back = dict(failed or {})
    dead = Q(state__in=list(waiting), attempts__gte=ATTEMPTS_DEAD) | Q(state__in=list(back))
    cleared: dict[str, Any] = {"attempts": 0, **({error: ""} if error else {})}
    if back:
        steps = (When(state=state, then=Value(to)) for state, to in back.items())
        cleared["state"] = Case(*steps, default=F("state"))
    return Queue(
        kind=kind,
        body=lambda row: body,
        dead=lambda: rows().filter(dead).order_by(since),
        show=lambda row: (
            row.state,
            row.attempts,
            getattr(row, error) if error else "",
            getattr(row, since),
        ),
        revive=lambda found: found.update(due_at=timezone.now(), **cleared),
        woken=woken or (lambda row: wake(task, str(row.pk))),
    )


def intent_queue(kind: str, body: str, rows: Callable[[], QuerySet[Any]]) -> Queue:
    """Return the queue of a body's intents; one given up is checked and signed anew."""

    def woken(row: Any) -> None:
        intent_life.notify(body)
        wake(intent_life.EXECUTE_TASK)

    return table_queue(
        kind,
        body,
        rows,
        waiting=(IntentState.REQUESTED, IntentState.SIGNED, IntentState.SUBMITTED),
        failed={IntentState.FAILED: IntentState.REQUESTED},
        error="error",
        woken=woken,
    )


def letters(queues: Iterable[Queue]) -> list[DeadLetter]:
    """Return the dead letters of these queues, of each the oldest `LISTED_MAX`."""
    return [_letter(queue, row) for queue in queues for row in queue.dead()[:LISTED_MAX]]


def counts(queues: Iterable[Queue]) -> dict[str, int]:
    """Return the number of dead letters by kind."""
    return {queue.kind: queue.dead().count() for queue in queues}


def requeue_message(*, kind: str, identifier: str, reason: str) -> bytes:
    """Return the bytes that an officer signs to set a dead letter of this instance going again."""
    said: JSON = {
        "instance": str(settings.INSTANCE_ID),
        "kind": kind,
        "id": identifier,
        "reason": reason,
    }
    return _DOMAIN + canonical_json(said)


@transaction.atomic
def requeue(
    queues: Iterable[Queue],
    *,
    kind: str,
    identifier: str,
    officer: Officer,
    signature: bytes,
    reason: str,
) -> DeadLetter:
    """Make a dead letter due again, wake its body and note who asked; return it as it was.

    Raises `NotFound`, `Forbidden` (another body's work, inactive), `SignatureInvalid`, `Invalid`.
    """
    queue = next((each for each in queues if each.kind == kind), None)
    if queue is None:
        raise NotFound(f"no kind of relayed work is called {kind!r}")
    if not 1 <= len(reason) <= REASON_LENGTH_MAX:
        raise Invalid(f"reason must have 1 to {REASON_LENGTH_MAX} characters")
    message = requeue_message(kind=kind, identifier=identifier, reason=reason)
    if not signature_verify(bytes(officer.public_key), signature, message):
        raise SignatureInvalid(f"signature of {officer.user.username} does not cover this")
    row = _find(queue, identifier)
    body = queue.body(row)
    if officer.body != body or not officer.active or not officer.user.is_active:
        raise Forbidden(f"{officer.user.username} is no active officer of {body}")
    letter = _letter(queue, row)
    if not queue.revive(queue.dead().filter(pk=row.pk).order_by()):
        raise NotFound(f"{kind} {identifier} is no dead letter any more")
    queue.woken(row)
    audit_append(
        body=body,
        actor=f"officer:{officer.user.username}",
        action="dead_letter.requeued",
        subject=f"{kind}:{identifier}",
        detail={
            "reason": reason,
            "state": letter.state,
            "attempts": letter.attempts,
            "error": letter.error,
            "signature": signature.hex(),
        },
    )
    return letter


def _find(queue: Queue, identifier: str) -> Any:
    try:
        row = queue.dead().filter(pk=identifier).first()
    except (ValueError, ValidationError):
        row = None
    if row is None:
        raise NotFound(f"no dead letter {queue.kind} {identifier}")
    return row


def _letter(queue: Queue, row: Any) -> DeadLetter:
    state, attempts, error, since = queue.show(row)
    return DeadLetter(queue.kind, str(row.pk), queue.body(row), state, attempts, error, since)


def _act_woken(act: Act) -> None:
    wake(f"{TASK_PREFIX.get(act.body, act.body)}.act_execute", str(act.id))


QUEUES = (
    Queue(
        kind="act",
        body=lambda act: str(act.body),
        dead=lambda: Act.objects.filter(
            state=Act.State.APPROVED, attempts__gte=ATTEMPTS_DEAD
        ).order_by("created_at"),
        show=lambda act: (
            act.state,
            act.attempts,
            str((act.result or {}).get("waiting", "")),
            act.created_at,
        ),
        revive=lambda acts: acts.update(attempts=0, due_at=timezone.now()),
        woken=_act_woken,
    ),
    intent_queue("compliance.intent", "compliance", RegistryIntent.objects.all),
)

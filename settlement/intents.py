"""Carries out what custody and compliance signed, many calls on an Authority by one transaction.

An intent is signed by its own body; the lane only pays. They travel on a lane of their own, so that
no stuck batch delays a freeze. Done is what the Authority says it has used, at the finalised block.
"""

import logging
from collections.abc import Sequence
from types import ModuleType
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from compliance import services as compliance_services
from compliance.intents import ExecutableIntent
from custody import selectors as custody_selectors
from custody import services as custody_services
from settlement import lanes, locks, selectors
from settlement.chain import client, lane
from settlement.models import CarriedIntent, ChainTransaction, TransactionState

BODIES: dict[str, ModuleType] = {
    "compliance": compliance_services,
    "custody": custody_services,
}
PER_PASS_MAX = 64
TRANSACTION_GAS_MAX = 16_777_216  # EIP-7825

logger = logging.getLogger(__name__)


def intents_execute() -> int:
    """Confirm what the chain holds, carry what is due; return how many intents moved.

    May run twice and in two workers at once; the second finds the first at work and leaves.
    """
    with locks.advisory("intents") as held:
        if not held or not lanes.lane_advance(lanes.INTENTS):
            return 0
        moved = _carried_follow()
        _voided_tell()
        return moved + sum(_due_carry(services) for services in BODIES.values())


def _voided_tell() -> None:
    """Tell custody which withdrawals' signatures ran out unused: nobody can carry those now."""
    waiting = custody_selectors.withdrawals_unvoided()
    if not waiting:
        return
    node, authority = lanes.node(), selectors.deployment().authorities["custody"]
    now = client.finalized_time(node)
    for intent_id, deadline in waiting:
        identifier = intent_id.bytes.rjust(32, b"\0")
        if client.authority_used(node, authority, identifier, "finalized"):
            custody_services.intent_confirmed(intent_id)
        elif deadline < now:
            custody_services.withdrawal_voided(intent_id=intent_id, deadline=deadline)


def _carried_follow() -> int:
    """Report carried intents back to their bodies once their fate is known; return how many."""
    carried = list(CarriedIntent.objects.filter(confirmed_at__isnull=True).order_by("pk"))
    sent = ChainTransaction.objects.filter(subject__in={one.subject for one in carried})
    newest = {each.subject: each for each in sent.order_by("pk")}
    # What is not final yet is not asked about, pass after pass.
    ended = [one for one in carried if not _travels(newest.get(one.subject))]
    final = _used([(one.intent, one.authority, bytes(one.id_bytes)) for one in ended], "finalized")
    open_ones = [one for one in ended if one.intent not in final]
    mined = _used([(one.intent, one.authority, bytes(one.id_bytes)) for one in open_ones], "latest")
    return sum(
        _report(one, newest.get(one.subject), is_final=one.intent in final)
        for one in ended
        if one.intent not in mined
    )


def _travels(sent: ChainTransaction | None) -> bool:
    return sent is not None and sent.state in (*lanes.UNDER_WAY, TransactionState.MINED)


def _report(carried: CarriedIntent, sent: ChainTransaction | None, *, is_final: bool) -> bool:
    """Tell a body that its intent is done, or due again; a fault of one holds up no other."""
    services = BODIES[carried.body]
    try:
        if is_final:
            services.intent_confirmed(carried.intent)
            CarriedIntent.objects.filter(pk=carried.pk).update(confirmed_at=timezone.now())
            return True
        if sent is not None:  # without effect: reverted, or mined anew by another order of things
            error = f"transaction {sent.state} {sent.error}".strip()
            services.intent_failed(carried.intent, error)
        carried.delete()
    except Exception:
        logger.exception("intent %s: its body was not told; it is asked about again", carried.pk)
        return False
    return True


def _due_carry(services: ModuleType) -> int:
    """Send a body's due intents, as many in a transaction as fit; return how many."""
    due: list[ExecutableIntent] = services.intents_executable(PER_PASS_MAX)
    unconfirmed = CarriedIntent.objects.filter(confirmed_at__isnull=True)
    under_way = set(
        unconfirmed.filter(intent__in=[intent.id for intent in due]).values_list("pk", flat=True)
    )
    waiting = [intent for intent in due if intent.id not in under_way]
    used = _used([(intent.id, intent.authority, intent.id_bytes) for intent in waiting], "latest")
    _rows_write([intent for intent in waiting if intent.id in used], subject="")  # by another hand
    for intent_id in under_way | used:
        services.intent_submitted(intent_id)
    waiting = [intent for intent in waiting if intent.id not in used]
    moved, together = len(used), TRANSACTION_GAS_MAX // settings.SETTLEMENT_GAS_INTENT
    for start in range(0, len(waiting), together):
        group = waiting[start : start + together]
        if _carry(group, services):
            moved += len(group)
        elif len(group) > 1:
            moved += sum(_carry([intent], services) for intent in group)
    return moved


def _carry(intents: Sequence[ExecutableIntent], services: ModuleType) -> bool:
    """Send intents together if the calls would succeed now; tell the body why a single one not."""
    try:
        error = _send(intents)
    except Exception as fault:
        logger.exception("carrying %s failed; they stay due", [intent.id for intent in intents])
        error = f"{type(fault).__name__}: {fault}"
    if error is None:
        for intent in intents:
            services.intent_submitted(intent.id)
        return True
    if len(intents) == 1:
        logger.warning("intent %s of %s: %s", intents[0].id, intents[0].body, error)
        services.intent_failed(intents[0].id, error)
    return False


def _send(intents: Sequence[ExecutableIntent]) -> str | None:
    """Store and broadcast the intents' transaction, or return why the Authority would refuse it."""
    authority, gas = intents[0].authority, len(intents) * settings.SETTLEMENT_GAS_INTENT
    data = lane.execute_many_call(
        [(each.target, each.data, each.id_bytes, each.deadline, each.signature) for each in intents]
    )
    error = lanes.call_refusal(lanes.INTENTS, authority, data, gas)
    if error is not None:
        return error
    subject = f"intents:{intents[0].id}"
    _rows_write(intents, subject=subject)
    lanes.transaction_send(
        lane_name=lanes.INTENTS, subject=subject, target=authority, data=data, gas=gas
    )
    return None


def _rows_write(intents: Sequence[ExecutableIntent], *, subject: str) -> None:
    """Write down, before anything is sent, which transaction carries what."""
    rows = [
        CarriedIntent(
            intent=intent.id,
            body=intent.body,
            authority=intent.authority,
            id_bytes=intent.id_bytes,
            subject=subject,
        )
        for intent in intents
    ]
    CarriedIntent.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["intent"], update_fields=["subject"]
    )


def _used(
    calls: Sequence[tuple[UUID, str, bytes]], block: Literal["latest", "finalized"]
) -> set[UUID]:
    """Return which intents, given with Authority and id there, were carried out by that block."""
    found: set[UUID] = set()
    for authority in {authority for _, authority, _ in calls}:
        asked = {identifier: intent for intent, at, identifier in calls if at == authority}
        used = client.authority_used_many(lanes.node(), authority, list(asked), block)
        found |= {intent for intent, done in zip(asked.values(), used, strict=True) if done}
    return found

"""Carries out what custody and compliance signed, each by one `execute` on its Authority.

An intent is signed by its own body; the lane only pays. They travel on a lane of their own, so that
no stuck batch delays a freeze. Done is what the Authority says it has used, at the finalised block.
"""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

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

logger = logging.getLogger(__name__)


def intents_execute() -> int:
    """Confirm what the chain holds, carry what is due; return how many intents moved.

    May run twice and in two workers at once; the second finds the first at work and leaves.
    """
    with locks.advisory("intents") as held:
        if not held or not lanes.lane_advance(lanes.INTENTS):
            return 0
        moved = sum(_attempt(_follow, carried) for carried in _unconfirmed())
        _voided_tell()
        for services in BODIES.values():
            moved += sum(
                _attempt(_carry, intent, services)
                for intent in services.intents_executable(PER_PASS_MAX)
            )
    return moved


def _attempt(step: Callable[..., bool], subject: Any, *services: ModuleType) -> bool:
    """Tell whether an intent moved; the fault of one is noted and holds up no other."""
    try:
        return step(subject, *services)
    except Exception as error:
        logger.exception("%s of %s failed; it stays due", step.__name__, subject)
        for body in services:
            body.intent_failed(subject.id, f"{type(error).__name__}: {error}")
        return False


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


def _unconfirmed() -> list[CarriedIntent]:
    return list(CarriedIntent.objects.filter(confirmed_at__isnull=True).order_by("pk"))


def _follow(carried: CarriedIntent) -> bool:
    """Report a carried intent back to its body once its fate is known."""
    sent = ChainTransaction.objects.filter(subject=carried.subject).order_by("-pk").first()
    if sent is not None and sent.state in (*lanes.UNDER_WAY, TransactionState.MINED):
        return False  # not final yet: spares asking the chain about each, pass after pass
    services = BODIES[carried.body]
    if _used(carried, "finalized"):
        services.intent_confirmed(carried.intent)
        CarriedIntent.objects.filter(pk=carried.pk).update(confirmed_at=timezone.now())
        return True
    if _used(carried, "latest"):
        return False
    if sent is not None:  # without effect: reverted, or mined anew by another order of things
        services.intent_failed(carried.intent, f"transaction {sent.state} {sent.error}".strip())
    carried.delete()
    return True


def _used(carried: CarriedIntent, block: Literal["latest", "finalized"]) -> bool:
    return client.authority_used(lanes.node(), carried.authority, bytes(carried.id_bytes), block)


def _carry(intent: ExecutableIntent, services: ModuleType) -> bool:
    """Send an intent's transaction if the call would succeed now, else tell its body why not."""
    carried, _ = CarriedIntent.objects.get_or_create(
        intent=intent.id,
        defaults={
            "body": intent.body,
            "authority": intent.authority,
            "id_bytes": intent.id_bytes,
        },
    )
    if _used(carried, "latest"):  # carried by another hand, or by us before a crash
        services.intent_submitted(intent.id)
        return _follow(carried)
    data = lane.execute_call(
        intent.target, intent.data, intent.id_bytes, intent.deadline, intent.signature
    )
    gas = settings.SETTLEMENT_GAS_INTENT
    error = lanes.call_refusal(lanes.INTENTS, intent.authority, data, gas)
    if error is not None:
        logger.warning("intent %s of %s is refused: %s", intent.id, intent.body, error)
        carried.delete()
        services.intent_failed(intent.id, error)
        return False
    lanes.transaction_send(
        lane_name=lanes.INTENTS,
        subject=carried.subject,
        target=intent.authority,
        data=data,
        gas=gas,
    )
    services.intent_submitted(intent.id)
    return True

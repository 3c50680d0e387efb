"""Finds what is due and was not woken."""

from functools import partial

from django.utils import timezone

from compliance import selectors as compliance_selectors
from compliance import services as compliance
from custody import selectors
from custody.models import Issuance
from custody.services.accounts import account_prepare
from custody.services.issuance import act_execute, issuance_credit, issuance_retry

SWEEP_LIMIT = 100


def sweep() -> int:
    """Carry on every due act, unready account and confirmed mint; return how many were tried."""
    tried = 0
    for act in compliance_selectors.acts_due("custody", limit=SWEEP_LIMIT):
        tried += 1
        if error := compliance.attempt(partial(act_execute, act_id=act.id)):
            compliance.act_retry(act_id=act.id, error=error)
    for number in selectors.accounts_unready(SWEEP_LIMIT):
        tried += 1
        compliance.attempt(partial(account_prepare, number=number))
    minted = Issuance.objects.filter(state=Issuance.State.MINTED, due_at__lte=timezone.now())
    for issuance_id in list(minted.order_by("due_at").values_list("id", flat=True)[:SWEEP_LIMIT]):
        tried += 1
        if compliance.attempt(partial(issuance_credit, issuance_id=issuance_id)):
            issuance_retry(issuance_id)
    return tried

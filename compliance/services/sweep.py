"""Finds what is due and was not woken."""

from functools import partial

from compliance import selectors
from compliance.services.acts import act_retry
from compliance.services.parties import act_execute, eligibility_apply
from compliance.services.retries import attempt

SWEEP_LIMIT = 100


def sweep() -> int:
    """Carry on every approved act and unapplied eligibility; return how many were tried.

    What fails is logged, does not stop the others, and is found by the next sweep.
    """
    tried = 0
    for act in selectors.acts_due("compliance", limit=SWEEP_LIMIT):
        tried += 1
        error = attempt(partial(act_execute, act_id=act.id))
        if error:
            act_retry(act_id=act.id, error=error)
    for party_id in selectors.parties_behind(SWEEP_LIMIT):
        tried += 1
        attempt(partial(eligibility_apply, party_id=party_id))
    return tried

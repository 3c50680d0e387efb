"""Finds what is due and was not woken: acts, batches, batches the chain has lost.

Intents are swept by `intents.intents_execute` itself, so that no batch holds them up.
"""

import logging
from collections.abc import Callable
from functools import partial

from compliance.selectors import acts_due
from compliance.services import act_retry
from settlement import deposits, reconciler, selectors, services, settle, sight
from settlement.errors import NotDeployed

logger = logging.getLogger(__name__)


def sweep() -> None:
    """Carry on all that is due; what fails is logged, stops nothing else and is due again."""
    if not _deployed():
        return
    _attempt(settle.batches_lost_find)
    for act in acts_due("clearing"):
        if error := _attempt(partial(services.act_execute, act_id=act.id)):
            act_retry(act_id=act.id, error=error)
    for batch_id in selectors.batches_due():
        if error := _attempt(partial(settle.batch_advance, batch_id=batch_id)):
            services.batch_note(batch_id=batch_id, error=error)


def deposits_due() -> int:
    """Look for deposits from outside wallets; return how many were found."""
    return deposits.deposits_find() if _deployed() else 0


def chain_observe_due() -> None:
    """Look whether the node answers; when it does not, what was last seen grows old."""
    if _deployed():
        _attempt(sight.chain_observe)


def reconcile_due() -> None:
    """Compare engine, ledger, chain and holdings once; a difference halts withdrawals."""
    if _deployed():
        _attempt(reconciler.reconcile)


def _deployed() -> bool:
    try:
        selectors.deployment()
    except NotDeployed:
        return False
    return True


def _attempt(step: Callable[[], object]) -> str:
    """Run one due step; return what failed, or nothing."""
    try:
        step()
    except Exception as error:  # one row's fault must not hold up the others
        logger.exception("%s failed; it stays due", step)
        return f"{type(error).__name__}: {error}"
    return ""

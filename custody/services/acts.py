"""Acts of custody's officers, carried out once two of them have signed."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from compliance import services as compliance
from custody.errors import Conflict, Invalid, NotFound, NotYet
from custody.services.deposits import deposit_accept_act, deposit_return_act
from custody.services.halts import withdrawals_resume_act
from custody.services.issuance import mint_act
from custody.services.returning import withdraw_approve, withdraw_return

BODY = "custody"

_ACTS: Mapping[str, Callable[[UUID, dict[str, Any]], dict[str, Any]]] = {
    "custody.deposit_accept": deposit_accept_act,
    "custody.deposit_return": deposit_return_act,
    "custody.mint": mint_act,
    "custody.withdraw": withdraw_approve,
    "custody.withdrawal_return": withdraw_return,
    "custody.withdrawals_resume": withdrawals_resume_act,
}


def act_execute(*, act_id: UUID) -> None:
    """Carry out an approved act of custody, once.

    What can never be done fails the act; what must wait raises `NotYet` and is tried again.
    """
    try:
        with transaction.atomic():
            act = compliance.act_claim(act_id=act_id, body=BODY)
            if act.state != "approved":
                return
            result = _ACTS[act.kind](act.id, act.payload)
            compliance.act_complete(act_id=act.id, result=result)
    except NotYet as waiting:
        compliance.act_retry(act_id=act_id, error=str(waiting))
    except (Conflict, Invalid, NotFound) as refusal:
        compliance.act_fail(act_id=act_id, error=f"{refusal.code}: {refusal}")

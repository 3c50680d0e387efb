"""Custody's relayed work that may become a dead letter."""

from compliance.dead_letters import intent_queue, table_queue
from custody.models import CustodyIntent, Issuance
from custody.services.issuance import CREDIT_TASK

BODY = "custody"

QUEUES = (
    intent_queue("custody.intent", BODY, CustodyIntent.objects.all),
    table_queue(
        "custody.issuance",
        BODY,
        Issuance.objects.all,
        waiting=(Issuance.State.MINTED,),
        task=CREDIT_TASK,
    ),
)

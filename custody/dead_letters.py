"""Custody's relayed work that may become a dead letter."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from compliance import intent_life
from compliance.dead_letters import ATTEMPTS_DEAD, Queue, intent_queue, table_queue
from compliance.wake import wake
from custody.models import (
    Account,
    CashDeposit,
    CustodyIntent,
    Issuance,
    PaymentOrder,
    ReleaseDue,
    TokenDeposit,
    Withdrawal,
    WithdrawalCharge,
)
from custody.services import accounts, charges, deposits, issuance, token_deposits, withdrawal_life

BODY = "custody"
UNREADY_S = 600


def _signer_woken(row: Any) -> None:
    intent_life.notify(BODY)


def _accounts() -> QuerySet[Account]:
    """Return accounts that engine or chain still do not know after `UNREADY_S`, though tried."""
    unready = Q(engine_sequence=None) | Q(registered_at=None)
    since = timezone.now() - timedelta(seconds=UNREADY_S)
    rows = Account.objects.filter(unready, opened_at__lt=since, attempts__gte=ATTEMPTS_DEAD)
    return rows.exclude(kind=Account.Kind.OUTSIDE).order_by("id")


def _intents() -> QuerySet[CustodyIntent]:
    """Return intents but those of withdrawals on their way back, which nobody wants carried."""
    back = (Withdrawal.State.RETURNING, Withdrawal.State.RETURNED)
    return CustodyIntent.objects.exclude(withdrawal__state__in=back)


QUEUES = (
    intent_queue("custody.intent", BODY, _intents),
    table_queue(
        "custody.issuance",
        BODY,
        Issuance.objects.all,
        waiting=(Issuance.State.MINTED,),
        task=issuance.CREDIT_TASK,
    ),
    table_queue(
        "custody.token_deposit",
        BODY,
        TokenDeposit.objects.all,
        waiting=(TokenDeposit.State.CONFIRMED,),
        task=token_deposits.CREDIT_TASK,
    ),
    table_queue(
        "custody.cash_deposit",
        BODY,
        lambda: CashDeposit.objects.filter(issuance=None),
        waiting=(CashDeposit.State.ACCEPTED,),
        task=deposits.MINT_TASK,
        since="received_at",
    ),
    table_queue(
        "custody.withdrawal",
        BODY,
        Withdrawal.objects.all,
        waiting=(
            Withdrawal.State.REQUESTED,
            Withdrawal.State.DEBITING,
            Withdrawal.State.COVERED,
            Withdrawal.State.RETURNING,
        ),
        task=withdrawal_life.ADVANCE_TASK,
    ),
    table_queue(
        "custody.charge",
        BODY,
        WithdrawalCharge.objects.all,
        waiting=(WithdrawalCharge.State.MOVED,),
        task=charges.CREDIT_TASK,
    ),
    table_queue(
        "custody.payment",
        BODY,
        PaymentOrder.objects.all,
        waiting=(PaymentOrder.State.DUE,),
        error="error",
        woken=_signer_woken,
    ),
    Queue(
        kind="custody.account",
        body=lambda account: BODY,
        dead=_accounts,
        show=lambda account: ("unready", account.attempts, "", account.opened_at),
        revive=lambda rows: rows.update(attempts=0, due_at=timezone.now()),
        woken=lambda account: wake(accounts.PREPARE_TASK, account.pk),
    ),
    Queue(
        kind="custody.release",
        body=lambda release: BODY,
        dead=lambda: ReleaseDue.objects.filter(
            signature=None, attempts__gte=ATTEMPTS_DEAD
        ).order_by("created_at"),
        show=lambda release: ("due", release.attempts, release.error, release.created_at),
        revive=lambda rows: rows.update(attempts=0, error="", due_at=timezone.now()),
        woken=_signer_woken,
    ),
)

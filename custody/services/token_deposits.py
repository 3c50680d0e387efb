"""Tokens that came from outside wallets: kept once per event of the chain, credited once.

The clearing house reads the chain and tells what it found; nothing here asks a node.
"""

from django.db import transaction
from django.utils import timezone

from compliance import services as compliance
from compliance.wake import wake
from custody import locks, selectors
from custody.errors import Conflict, NotFound, NotYet
from custody.models import TokenDeposit
from custody.services.crediting import engine_credit
from matching.protocol.faults import crash_point

BODY = "custody"
CREDIT_TASK = "custody.token_deposit_credit"


@transaction.atomic
def token_deposit_receive(
    *,
    account: int,
    asset: int,
    amount_units: int,
    sender: str,
    transaction_hash: str,
    log_index: int,
    block_number: int,
) -> TokenDeposit:
    """Keep one final `Transfer` from outside; the same event again returns the first.

    Raises `Conflict` when the event is known with other content.
    """
    content = (account, asset, amount_units, sender)
    deposit, created = TokenDeposit.objects.get_or_create(
        transaction_hash=transaction_hash,
        log_index=log_index,
        defaults={
            "account_id": account,
            "asset_id": asset,
            "amount_units": amount_units,
            "sender": sender,
            "block_number": block_number,
        },
    )
    known = (deposit.account_id, deposit.asset_id, deposit.amount_units, deposit.sender)
    if known != content:
        raise Conflict(f"event {transaction_hash}:{log_index} was {known}, now {content}")
    if created:
        _audit(deposit, "token_deposit.found")
    return deposit


@transaction.atomic
def token_deposits_confirm(*, upto_block: int) -> int:
    """Let deposits of blocks up to this one be credited; return how many."""
    found = TokenDeposit.objects.filter(
        state=TokenDeposit.State.FOUND, block_number__lte=upto_block
    )
    numbers = list(found.order_by("id").values_list("id", flat=True))
    TokenDeposit.objects.filter(pk__in=numbers, state=TokenDeposit.State.FOUND).update(
        state=TokenDeposit.State.CONFIRMED, due_at=timezone.now()
    )
    for number in numbers:
        wake(CREDIT_TASK, number)
    return len(numbers)


def token_deposit_credit(*, deposit_id: int) -> None:
    """Credit a confirmed deposit in the engine; once, however often.

    Raises `NotFound`, `NotYet` before its confirmation, `EngineUnavailable`, `Conflict` when the
    engine refuses.
    """
    deposit = TokenDeposit.objects.filter(pk=deposit_id).first()
    if deposit is None:
        raise NotFound(f"no deposit {deposit_id}")
    if deposit.state == TokenDeposit.State.CREDITED:
        return
    if deposit.state != TokenDeposit.State.CONFIRMED:
        raise NotYet(f"deposit {deposit_id} is {deposit.state}")
    reference = selectors.deposit_reference(deposit.transaction_hash, deposit.log_index)
    sequence = engine_credit(
        account=deposit.account_id,
        asset=deposit.asset_id,
        amount_units=deposit.amount_units,
        reference=reference,
    )
    crash_point("deposit.answered")
    with transaction.atomic():
        locked = locks.token_deposit_lock(deposit_id)
        if locked.state == TokenDeposit.State.CREDITED:
            return
        locked.state, locked.engine_sequence = TokenDeposit.State.CREDITED, sequence
        locked.save(update_fields=["state", "engine_sequence"])
        _audit(locked, "token_deposit.credited")


def _audit(deposit: TokenDeposit, action: str) -> None:
    compliance.audit_append(
        body=BODY,
        actor="process:custody",
        action=action,
        subject=f"token_deposit:{deposit.pk}",
        detail={
            "account": deposit.account_id,
            "asset": deposit.asset_id,
            "amount_units": deposit.amount_units,
            "sender": deposit.sender,
            "event": f"{deposit.transaction_hash}:{deposit.log_index}",
        },
    )

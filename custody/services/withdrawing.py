"""A kept withdrawal on its way: debit, cover, signature, chain. The way back is `returning`'s.

Each step is a row with state and due time; `withdrawal_advance` may run any time. Delivery, after
the chain let go of the units, is the bank's or the vault's.
"""

from uuid import UUID

from django.db import transaction

from compliance import calldata, intent_life
from compliance import selectors as compliance_selectors
from compliance.wake import wake
from custody import evidence, locks, selectors
from custody.errors import Conflict, NotFound, NotYet, WithdrawalsHalted
from custody.models import CustodyIntent, Withdrawal
from custody.services.releases import release_order
from custody.services.returning import withdrawal_give_back
from custody.services.withdrawal_life import (
    ADVANCE_TASK,
    BODY,
    audit,
    begin_return,
    close,
    execute,
    move,
)
from custody.trade_dates import trade_date
from matching.client import engine
from matching.protocol.commands import Debit
from matching.protocol.events import Debited, ReferenceRepeated, Refused
from matching.protocol.faults import crash_point

BURN = "burn"
TRANSFER = "transfer"

State = Withdrawal.State


def withdrawal_advance(*, withdrawal_id: UUID) -> None:
    """Take a withdrawal a step further; may run any time and twice.

    Raises `NotFound`, `WithdrawalsHalted`, `NotYet`, `EngineUnavailable`, `Conflict` when the
    engine refuses what it may not.
    """
    withdrawal = Withdrawal.objects.filter(pk=withdrawal_id).first()
    if withdrawal is None:
        raise NotFound(f"no withdrawal {withdrawal_id}")
    if withdrawal.state in (State.REQUESTED, State.DEBITING):
        _debit(withdrawal)
    elif withdrawal.state == State.COVERED and withdrawal.intent_id is None:
        _instruct(withdrawal_id)
    elif withdrawal.state == State.RETURNING:
        withdrawal_give_back(withdrawal)


def _debit(withdrawal: Withdrawal) -> None:
    """Have the engine take the units; what it refuses is refused to the member."""
    if selectors.withdrawals_halted():
        raise WithdrawalsHalted("withdrawals stand still")
    with transaction.atomic():
        locked = locks.withdrawal_lock(withdrawal.pk)
        if locked.state == State.REQUESTED:  # asked again, what failed before still counts
            move(locked, State.DEBITING)
        elif locked.state != State.DEBITING:
            return
    crash_point("withdrawal.before_debit")
    answer = engine().send(
        Debit(
            account=withdrawal.account_id,
            asset=withdrawal.asset_id,
            amount_units=withdrawal.amount_units,
            reference=selectors.withdrawal_reference(
                withdrawal.pk, withdrawal.kind, withdrawal.destination
            ),
            charges=selectors.charges_of(withdrawal),
        )
    )
    crash_point("withdrawal.debited")
    event = answer.events[0]
    with transaction.atomic():
        locked = locks.withdrawal_lock(withdrawal.pk)
        if locked.state != State.DEBITING:
            return
        if isinstance(event, Debited | ReferenceRepeated):
            repeated = event.sequence if isinstance(event, ReferenceRepeated) else 0
            locked.engine_sequence = repeated or answer.sequence
            move(locked, State.HELD)
            audit(locked, "withdrawal.held", {"sequence": locked.engine_sequence})
        elif isinstance(event, Refused):
            locked.reason = f"{event.code.value}: {event.detail}"[:500]
            close(locked, State.REFUSED)
            audit(locked, "withdrawal.refused", {"reason": locked.reason})
        else:
            raise Conflict(f"engine answered a debit with {event}")


@transaction.atomic
def withdrawals_cover(*, sequence: int, signature: bytes) -> int:
    """Note the clearing house's word that every fill up to a sequence is title.

    `signature` is its signer's over `compliance.signer.coverage_typed`; custody's signer checks
    it. Returns how many withdrawals may go on.
    """
    held = Withdrawal.objects.filter(state=State.HELD, engine_sequence__lte=sequence)
    numbers = list(held.order_by("id").values_list("id", flat=True))
    for number in numbers:
        withdrawal = locks.withdrawal_lock(number)
        if withdrawal.state == State.HELD:
            withdrawal.cover_sequence, withdrawal.cover_signature = sequence, signature
            move(withdrawal, State.COVERED)
            wake(ADVANCE_TASK, str(number))
    return len(numbers)


@transaction.atomic
def _instruct(withdrawal_id: UUID) -> None:
    """Ask custody's signer for the burn or transfer, unless the holder is frozen by now."""
    withdrawal = locks.withdrawal_lock(withdrawal_id)
    if withdrawal.state != State.COVERED or withdrawal.intent_id is not None:
        return
    account = withdrawal.account
    if compliance_selectors.holder_frozen(account.holder):
        begin_return(withdrawal, "the holder is frozen")
        return
    chain = compliance_selectors.chain_addresses_get(BODY)
    if chain is None or account.address is None:
        raise NotYet("no contracts are deployed yet")
    kind, data = withdrawal_calldata(withdrawal, account.address)
    intent = CustodyIntent(
        id=withdrawal.pk,
        kind=kind,
        target=chain.targets[f"token:{withdrawal.asset.code}"],
        data=data,
        subject={
            "account": account.pk,
            "asset": withdrawal.asset_id,
            "amount_units": withdrawal.amount_units,
        },
        account=account,
    )
    intent_life.intent_request(intent, body=BODY)
    withdrawal.intent = intent
    withdrawal.save(update_fields=["intent"])


def withdrawal_calldata(withdrawal: Withdrawal, address: str) -> tuple[str, bytes]:
    """Return the intent's kind and the one call that takes the units out of `address`."""
    units = withdrawal.amount_units
    if withdrawal.kind == Withdrawal.Kind.TOKEN:
        return TRANSFER, calldata.custody_transfer(address, withdrawal.destination, units)
    redemption = evidence.chain_reference("withdrawal", str(withdrawal.pk))
    return BURN, calldata.burn(address, units, redemption)


def withdrawal_signed(intent: CustodyIntent) -> None:
    """Note, in the signature's transaction, that custody's signer signed.

    Raises `Conflict` when the units are being given back, so that no signature is kept.
    """
    withdrawal = locks.withdrawal_lock(intent.pk)
    if withdrawal.state not in (State.COVERED, State.SIGNED):
        raise Conflict(f"withdrawal {withdrawal.pk} is {withdrawal.state}, it is not signed")
    if withdrawal.act_id is None and withdrawal.limit_day is None:
        withdrawal.limit_day = trade_date()
        withdrawal.save(update_fields=["limit_day"])
    move(withdrawal, State.SIGNED)


def withdrawal_executed(intent_id: UUID) -> None:
    """Note, in the caller's transaction, that the chain finally let go of the units."""
    withdrawal = locks.withdrawal_lock(intent_id)
    if withdrawal.state not in (State.COVERED, State.SIGNED, State.RETURNING):
        return
    execute(withdrawal)
    audit(withdrawal, "withdrawal.executed", {})
    if withdrawal.kind == Withdrawal.Kind.TOKEN:
        _complete(withdrawal)
    elif withdrawal.kind == Withdrawal.Kind.BAR:
        release_order(withdrawal)


@transaction.atomic
def withdrawal_complete(*, withdrawal_id: UUID) -> Withdrawal:
    """Note that bank or vault delivered; again changes nothing. Raises `NotFound`, `Conflict`."""
    withdrawal = locks.withdrawal_lock(withdrawal_id)
    if withdrawal.state != State.COMPLETED:
        _executed_check(withdrawal)
        _complete(withdrawal)
    return withdrawal


@transaction.atomic
def withdrawal_reverse(*, withdrawal_id: UUID, reason: str) -> Withdrawal:
    """Note that delivery failed after the burn and fresh evidence brings the money back.

    Nothing is credited here: the new evidence is minted as any other. Again changes nothing.
    Raises `NotFound`, `Conflict`.
    """
    withdrawal = locks.withdrawal_lock(withdrawal_id)
    if withdrawal.state != State.RETURNED:
        _executed_check(withdrawal)
        withdrawal.reason = reason[:500]
        close(withdrawal, State.RETURNED)
        audit(withdrawal, "withdrawal.returned", {"reason": withdrawal.reason})
    return withdrawal


def _executed_check(withdrawal: Withdrawal) -> None:
    if withdrawal.state != State.EXECUTED:
        raise Conflict(f"withdrawal {withdrawal.pk} is {withdrawal.state}, expected executed")


def _complete(withdrawal: Withdrawal) -> None:
    close(withdrawal, State.COMPLETED)
    audit(withdrawal, "withdrawal.completed", {})

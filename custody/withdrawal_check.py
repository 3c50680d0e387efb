"""What custody's signer wants to see before units leave an account; imported by the signer alone.

It asks the engine, the clearing house's word and the policy file; a row alone proves nothing.
"""

from django.conf import settings

from compliance import calldata, policy
from compliance import signer as body_signer
from custody import evidence, selectors
from custody.allowance import Allowance
from custody.bar_documents import ReleaseOrder
from custody.cash_documents import document_message, document_parse
from custody.catalogue import ASSETS, CASH
from custody.errors import OfficersAwaited, Untrusted
from custody.models import Account, CustodyIntent, ReleaseDue, Withdrawal
from custody.services.returning import withdrawal_payload
from custody.services.withdrawing import withdrawal_calldata
from custody.trade_dates import trade_date
from matching.client import engine
from matching.protocol.commands import Debit, Referenced
from matching.protocol.queries import GetMovement, MovementFound

LIMIT = "withdraw"


def withdrawal_expected(
    intent: CustodyIntent,
    address: str,
    trust: policy.Policy,
    pin: policy.ChainPin,
    allowance: Allowance,
) -> tuple[str, bytes]:
    """Return the only target and calldata that the engine's own debit allows.

    The intent's id is the withdrawal's, which the debit names with a hash of where the units go:
    so a debit is carried once, and to nobody else. Raises `Untrusted` unless the engine knows the
    debit and no return of it, the clearing house's signer says that all fills up to it are title,
    and two trusted officers approved what exceeds the policy's daily limit; `OfficersAwaited` while
    a halt is in force or without their approval.
    """
    rows = Withdrawal.objects.select_related("act__proposer__user", "act__approver__user")
    withdrawal = rows.filter(pk=intent.pk).first()
    if withdrawal is None:
        raise Untrusted(f"no withdrawal stands behind intent {intent.pk}")
    halt_check()
    if withdrawal.state not in (Withdrawal.State.COVERED, Withdrawal.State.SIGNED):
        raise Untrusted(f"withdrawal {withdrawal.pk} is {withdrawal.state}")
    debit, sequence = debit_of(withdrawal)
    _covered_check(withdrawal, sequence, trust)
    stated = (
        withdrawal.account_id,
        withdrawal.asset_id,
        withdrawal.amount_units,
        selectors.charges_of(withdrawal),
    )
    debited = (debit.account, debit.asset, debit.amount_units, debit.charges)
    if stated != debited or intent.account_id != debit.account:
        raise Untrusted(
            f"account, asset, units, charges are {stated}, the engine debited {debited}"
        )
    # The code comes from the catalogue, since a row could call gold silver.
    code = next((terms.code for terms in ASSETS if terms.id == debit.asset), "")
    token = pin.targets.get(f"token:{code}")
    if token is None:
        raise Untrusted(f"no token of asset {debit.asset} is pinned")
    if Account.objects.filter(address=withdrawal.destination).exists():
        raise Untrusted(f"{withdrawal.destination} is an account of this house")
    kind, data = withdrawal_calldata(withdrawal, address)
    if kind != intent.kind:
        raise Untrusted(f"a withdrawal by {withdrawal.kind} is a {kind}, not a {intent.kind}")
    permission_check(withdrawal, debit, code, trust, allowance)
    return token, data


def charge_expected(
    intent: CustodyIntent, address: str, revenue: str, trust: policy.Policy, pin: policy.ChainPin
) -> tuple[str, bytes]:
    """Return the only target and calldata that bring to revenue what a debit charged.

    The intent's id follows from the withdrawal's, so it is carried once. Raises `Untrusted` unless
    the withdrawal is final, and as `withdrawal_expected` does.
    """
    withdrawal = Withdrawal.objects.filter(charge__intent=intent.pk).first()
    if withdrawal is None or intent.pk != selectors.charge_intent_id(withdrawal.pk):
        raise Untrusted(f"no charge of a withdrawal stands behind intent {intent.pk}")
    halt_check()
    if withdrawal.state not in (Withdrawal.State.EXECUTED, Withdrawal.State.COMPLETED):
        raise Untrusted(f"withdrawal {withdrawal.pk} is {withdrawal.state}, its burn is not final")
    debit, sequence = debit_of(withdrawal)
    _covered_check(withdrawal, sequence, trust)
    if intent.account_id != debit.account or {one.asset for one in debit.charges} != {CASH.id}:
        raise Untrusted(f"account {intent.account_id} was not charged in {CASH.code}: {debit}")
    units = sum(one.amount_units for one in debit.charges)
    return pin.targets[f"token:{CASH.code}"], calldata.custody_transfer(address, revenue, units)


def halt_check() -> None:
    """Raise `OfficersAwaited` while withdrawals are halted, which two officers lift."""
    if halt := selectors.withdrawals_halted():
        raise OfficersAwaited(f"withdrawals are halted: {halt.reason}")


def debit_of(withdrawal: Withdrawal) -> tuple[Debit, int]:
    """Return the engine's debit behind a withdrawal, not given back, and its sequence."""
    reference = selectors.withdrawal_reference(
        withdrawal.pk, withdrawal.kind, withdrawal.destination
    )
    command, sequence = _movement(reference)
    if not isinstance(command, Debit):
        raise Untrusted(f"the engine knows no debit {reference}")
    if _movement(selectors.return_reference(withdrawal.pk))[0] is not None:
        raise Untrusted(f"withdrawal {withdrawal.pk} was given back")
    return command, sequence


def _movement(reference: str) -> tuple[Referenced | None, int]:
    found = engine().ask(GetMovement(reference))
    assert isinstance(found, MovementFound)
    return found.command, found.applied_sequence


def _covered_check(withdrawal: Withdrawal, sequence: int, trust: policy.Policy) -> None:
    covered = withdrawal.cover_sequence or 0
    body_signer.coverage_check(
        attestor=trust.attestor,
        sequence=covered,
        signature=bytes(withdrawal.cover_signature or b""),
    )
    if covered < sequence:
        raise Untrusted(f"title is sure up to {covered}, the debit is at {sequence}")


def permission_check(
    withdrawal: Withdrawal, debit: Debit, code: str, trust: policy.Policy, allowance: Allowance
) -> None:
    """Raise `Untrusted` unless officers approved a withdrawal or the day's limit has room.

    Without an act above the limit it is `OfficersAwaited`.
    """
    act = withdrawal.act
    if act is None:
        if allowance.take(
            name=f"{LIMIT}:{code}:{debit.account}",
            use=str(withdrawal.pk),
            units=debit.amount_units,
            limit=trust.limits.get(f"{LIMIT}:{code}", 0),
            day=trade_date(),
        ):
            return
        raise OfficersAwaited("above the day's limit: two officers must approve (custody.withdraw)")
    if act.kind != "custody.withdraw" or act.payload != withdrawal_payload(withdrawal):
        raise Untrusted(f"act {act.id} is about another withdrawal")
    body_signer.act_check(act, trust)


def release_message(due: ReleaseDue, trust: policy.Policy, allowance: Allowance) -> bytes:
    """Return the bytes to sign for an order to the vault.

    Raises `Untrusted` unless the burn is final, the engine's debit names these bars, and the
    vault's and auditor's signatures say that they weigh what was debited; `OfficersAwaited` while
    withdrawals are halted.
    """
    halt_check()
    withdrawal = due.withdrawal
    if withdrawal.state != Withdrawal.State.EXECUTED:
        raise Untrusted(f"withdrawal {withdrawal.pk} is {withdrawal.state}, its burn is not final")
    debit, _ = debit_of(withdrawal)
    order = document_parse(ReleaseOrder, selectors.release_document(due))
    total = 0
    for name in order.bars:
        receipt = selectors.bar_receipt(name)
        document = selectors.receipt_document(receipt)
        evidence.receipt_verify(trust.evidence, settings.INSTANCE_ID, document)
        if (document["vault"], document["asset"]) != (order.vault, order.asset):
            raise Untrusted(f"bar {name} is {document['asset']} in {document['vault']}")
        total += selectors.bar_fine_units(receipt, name)
    code = next((terms.code for terms in ASSETS if terms.id == debit.asset), "")
    if (total, order.asset) != (debit.amount_units, code) or order.fine_units != total:
        raise Untrusted(f"bars of {total} {order.asset}, the engine debited {debit}")
    permission_check(withdrawal, debit, code, trust, allowance)
    return document_message(settings.INSTANCE_ID, order)

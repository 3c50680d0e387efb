"""Withdrawals as members ask for them: checked, kept once, cancelled before the debit.

What follows a kept request stands in `withdrawing`.
"""

import re
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from compliance import services as compliance
from compliance.wake import wake
from custody import locks, selectors
from custody.errors import (
    BankAccountUnknown,
    Conflict,
    DestinationIsAccount,
    Invalid,
    NotYet,
    WithdrawalsHalted,
)
from custody.models import Account, Asset, BankAccount, Withdrawal
from custody.services.bars import bars_chosen, bars_reserve
from custody.services.withdrawal_life import ADVANCE_TASK, BODY
from matching.protocol.units import UNITS_MAX

_REFERENCE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_BANK_ACCOUNT = re.compile(r"[A-Za-z0-9_.-]{1,64}:[0-9-]{4,32}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_ASSETS_OF = {
    Withdrawal.Kind.CASH: (Asset.Kind.CASH,),
    Withdrawal.Kind.TOKEN: (Asset.Kind.METAL, Asset.Kind.SECURITY),
    Withdrawal.Kind.BAR: (Asset.Kind.METAL,),
}


@transaction.atomic
def withdrawal_request(
    *,
    account: int,
    asset: int,
    amount_units: int,
    kind: str,
    destination: str,
    client_reference: str,
    actor: str,
) -> Withdrawal:
    """Keep a wish to take units out and have it carried on; the same reference returns the first.

    `destination` is `<bank>:<number>` for cash, a checksum address (EIP-55) for a token, and
    `<refiner>/<serial>/<year>[,...]@<pickup reference>` for whole bars of one vault, whose fine
    weights sum to the amount. Cash leaves in whole won, for a bank account that was registered.
    Raises `NotFound`, `Invalid`, `BankAccountUnknown`,
    `DestinationIsAccount`, `Conflict` (the reference stands for another wish, a bar is promised),
    `NotYet` (account not ready), `WithdrawalsHalted`.
    """
    if not _REFERENCE.fullmatch(client_reference):
        raise Invalid(f"client reference must match {_REFERENCE.pattern}")
    holding = locks.account_lock(account)
    rows = Withdrawal.objects.select_related("asset")
    known = rows.filter(account=holding, client_reference=client_reference).first()
    if known is not None:
        stated = (asset, amount_units, kind, destination)
        if (known.asset_id, known.amount_units, known.kind, known.destination) != stated:
            raise Conflict(f"reference {client_reference} stands for withdrawal {known.pk}")
        return known
    if halt := selectors.withdrawals_halted():
        raise WithdrawalsHalted(f"withdrawals have stood still since {halt.halted_at:%F %T}")
    terms = selectors.assets_by_id().get(asset)
    _check(holding, terms, asset, amount_units, kind)
    assert terms is not None
    _destination_check(holding, kind, destination)
    bars = bars_chosen(terms, destination, amount_units) if kind == Withdrawal.Kind.BAR else []
    withdrawal = Withdrawal.objects.create(
        id=uuid4(),
        account=holding,
        asset=terms,
        amount_units=amount_units,
        kind=kind,
        destination=destination,
        client_reference=client_reference,
    )
    bars_reserve(withdrawal, bars)
    wake(ADVANCE_TASK, str(withdrawal.pk))
    _audit(withdrawal, actor, "withdrawal.requested")
    return withdrawal


@transaction.atomic
def withdrawal_cancel(*, account: int, withdrawal_id: UUID, actor: str) -> Withdrawal:
    """Cancel a withdrawal of which the engine was not asked yet; again changes nothing.

    Raises `NotFound`, for another account's too, `Conflict` when it is too late.
    """
    selectors.withdrawal_get(account, withdrawal_id)
    withdrawal = locks.withdrawal_lock(withdrawal_id)
    if withdrawal.state == Withdrawal.State.CANCELLED:
        return withdrawal
    if withdrawal.state != Withdrawal.State.REQUESTED:
        raise Conflict(f"withdrawal {withdrawal_id} is {withdrawal.state}, too late to cancel")
    withdrawal.state, withdrawal.closed_at = Withdrawal.State.CANCELLED, timezone.now()
    withdrawal.save(update_fields=["state", "closed_at"])
    withdrawal.bars.all().delete()
    _audit(withdrawal, actor, "withdrawal.cancelled")
    return withdrawal


def _check(account: Account, terms: Asset | None, asset: int, amount_units: int, kind: str) -> None:
    if kind not in Withdrawal.Kind.values:
        raise Invalid(f"kind must be one of {Withdrawal.Kind.values}, found {kind!r}")
    if terms is None or terms.kind not in _ASSETS_OF[Withdrawal.Kind(kind)]:
        raise Invalid(f"asset {asset} is not withdrawn as {kind}")
    if account.kind not in (Account.Kind.MEMBER, Account.Kind.REVENUE):
        raise Invalid(f"account {account.pk} is of kind {account.kind}, nobody withdraws from it")
    if not account.ready:
        raise NotYet(f"account {account.pk} is not known to engine and chain yet")
    if type(amount_units) is not int or not 0 < amount_units <= UNITS_MAX:
        raise Invalid(f"amount must be 1 to {UNITS_MAX} base units, found {amount_units!r}")
    if kind == Withdrawal.Kind.CASH and amount_units % 10**terms.decimals:
        raise Invalid(f"banks move whole {terms.code}, found {amount_units} base units")


def _destination_check(account: Account, kind: str, destination: str) -> None:
    if kind == Withdrawal.Kind.CASH:
        if not _BANK_ACCOUNT.fullmatch(destination):
            raise Invalid(f"a bank account is named like {_BANK_ACCOUNT.pattern}")
        bank, number = destination.split(":")
        if not BankAccount.objects.filter(account=account, bank=bank, number=number).exists():
            raise BankAccountUnknown(f"bank account {destination} is not registered")
    elif kind == Withdrawal.Kind.TOKEN:
        from eth_utils.address import to_checksum_address  # dear to load, and rarely needed

        if not _ADDRESS.fullmatch(destination) or to_checksum_address(destination) != destination:
            raise Invalid("a token goes to a 20-byte address with its checksum (EIP-55)")
        if int(destination, 16) == 0 or Asset.objects.filter(token_address=destination).exists():
            raise Invalid(f"nothing sent to {destination} comes back")
        if Account.objects.filter(address=destination).exists():
            raise DestinationIsAccount(f"{destination} is an account of this house")


def _audit(withdrawal: Withdrawal, actor: str, action: str) -> None:
    compliance.audit_append(
        body=BODY,
        actor=actor,
        action=action,
        subject=f"withdrawal:{withdrawal.pk}",
        detail={
            "account": withdrawal.account_id,
            "asset": withdrawal.asset_id,
            "amount_units": withdrawal.amount_units,
            "kind": str(withdrawal.kind),
            "destination": withdrawal.destination,
        },
    )

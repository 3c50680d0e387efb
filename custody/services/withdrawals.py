"""Withdrawals as members ask for them: checked, kept once, cancelled before the debit.

What follows a kept request stands in `withdrawing`.
"""

import re
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction

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
from custody.services.charges import bar_charges, charge_open
from custody.services.withdrawal_life import ADVANCE_TASK, BODY, close
from matching.protocol.units import UNITS_MAX

_REFERENCE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_BANK_ACCOUNT = re.compile(r"[A-Za-z0-9_.-]{1,64}:[0-9-]{4,32}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_ASSETS_OF = {
    Withdrawal.Kind.CASH: (Asset.Kind.CASH,),
    Withdrawal.Kind.TOKEN: (Asset.Kind.METAL, Asset.Kind.SECURITY),
    Withdrawal.Kind.BAR: (Asset.Kind.METAL,),
}


@dataclass(frozen=True, slots=True)
class _Wish:
    asset: int
    amount_units: int
    kind: str
    destination: str
    client_reference: str


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
    Bars cost fee and VAT, reckoned now. Raises `NotFound`, `Invalid`, `BankAccountUnknown`,
    `DestinationIsAccount`, `Conflict` (the reference stands for another wish, a bar is promised),
    `NotYet` (account not ready, no price), `WithdrawalsHalted`, `EngineUnavailable`.
    """
    if not _REFERENCE.fullmatch(client_reference):
        raise Invalid(f"client reference must match {_REFERENCE.pattern}")
    wish = _Wish(asset, amount_units, kind, destination, client_reference)
    known = Withdrawal.objects.filter(account=account, client_reference=client_reference)
    charges = (0, 0)
    if kind == Withdrawal.Kind.BAR and not known.exists():
        _terms_check(wish)
        charges = bar_charges(asset=asset, amount_units=amount_units, destination=destination)
    return _withdrawal_keep(account, wish, charges, actor)


@transaction.atomic
def _withdrawal_keep(account: int, wish: _Wish, charges: tuple[int, int], actor: str) -> Withdrawal:
    holding = locks.account_lock(account)
    rows = Withdrawal.objects.select_related("asset")
    known = rows.filter(account=holding, client_reference=wish.client_reference).first()
    if known is not None:
        stated = (wish.asset, wish.amount_units, wish.kind, wish.destination)
        if (known.asset_id, known.amount_units, known.kind, known.destination) != stated:
            raise Conflict(f"reference {wish.client_reference} stands for withdrawal {known.pk}")
        return known
    if halt := selectors.withdrawals_halted():
        raise WithdrawalsHalted(f"withdrawals have stood still since {halt.halted_at:%F %T}")
    terms = _terms_check(wish)
    _account_check(holding)
    _destination_check(holding, wish.kind, wish.destination)
    redeemed = wish.kind == Withdrawal.Kind.BAR
    bars = bars_chosen(terms, wish.destination, wish.amount_units) if redeemed else []
    fee_units, vat_units = charges
    withdrawal = Withdrawal.objects.create(
        id=uuid4(),
        account=holding,
        asset=terms,
        amount_units=wish.amount_units,
        fee_units=fee_units,
        vat_units=vat_units,
        kind=wish.kind,
        destination=wish.destination,
        client_reference=wish.client_reference,
    )
    bars_reserve(withdrawal, bars)
    charge_open(withdrawal)
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
    close(withdrawal, Withdrawal.State.CANCELLED)
    _audit(withdrawal, actor, "withdrawal.cancelled")
    return withdrawal


def _terms_check(wish: _Wish) -> Asset:
    kind, units = wish.kind, wish.amount_units
    terms = selectors.assets_by_id().get(wish.asset)
    if kind not in Withdrawal.Kind.values:
        raise Invalid(f"kind must be one of {Withdrawal.Kind.values}, found {kind!r}")
    if terms is None or terms.kind not in _ASSETS_OF[Withdrawal.Kind(kind)]:
        raise Invalid(f"asset {wish.asset} is not withdrawn as {kind}")
    if type(units) is not int or not 0 < units <= UNITS_MAX:
        raise Invalid(f"amount must be 1 to {UNITS_MAX} base units, found {units!r}")
    if kind == Withdrawal.Kind.CASH and units % 10**terms.decimals:
        raise Invalid(f"banks move whole {terms.code}, found {units} base units")
    return terms


def _account_check(account: Account) -> None:
    if account.kind not in (Account.Kind.MEMBER, Account.Kind.REVENUE):
        raise Invalid(f"account {account.pk} is of kind {account.kind}, nobody withdraws from it")
    if not account.ready:
        raise NotYet(f"account {account.pk} is not known to engine and chain yet")


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
            "fee_units": withdrawal.fee_units,
            "vat_units": withdrawal.vat_units,
            "kind": str(withdrawal.kind),
            "destination": withdrawal.destination,
        },
    )

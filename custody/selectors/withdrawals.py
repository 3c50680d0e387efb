"""Questions about units on their way out and back in."""

import hashlib
from uuid import UUID

from django.db.models import QuerySet

from custody.errors import NotFound
from custody.models import TokenDeposit, Withdrawal, WithdrawalHalt


def withdrawals_halted() -> WithdrawalHalt | None:
    """Return the oldest halt in force, or None."""
    return WithdrawalHalt.objects.filter(lifted_at=None).order_by("id").first()


def withdrawal_get(account: int, withdrawal_id: UUID) -> Withdrawal:
    """Return an account's withdrawal. Raises `NotFound`, for another account's too."""
    rows = Withdrawal.objects.select_related("asset", "intent")
    found = rows.filter(pk=withdrawal_id, account_id=account).first()
    if found is None:
        raise NotFound(f"no withdrawal {withdrawal_id} of account {account}")
    return found


def withdrawals_of(
    account: int, *, asset: int | None = None, state: str | None = None
) -> QuerySet[Withdrawal]:
    """Return an account's withdrawals, newest first; the caller cuts the page."""
    wanted = {"asset_id": asset, "state": state}
    rows = Withdrawal.objects.filter(
        account_id=account, **{name: value for name, value in wanted.items() if value is not None}
    )
    return rows.select_related("asset", "intent").order_by("-created_at", "-id")


def token_deposits_of(account: int, *, asset: int | None = None) -> QuerySet[TokenDeposit]:
    """Return an account's deposits from outside wallets, newest first."""
    rows = TokenDeposit.objects.filter(account_id=account)
    if asset is not None:
        rows = rows.filter(asset_id=asset)
    return rows.select_related("asset").order_by("-created_at", "-id")


def withdrawal_reference(withdrawal_id: UUID, kind: str, destination: str) -> str:
    """Return the engine's reference of a withdrawal's debit: it binds where the units go.

    128 bits of SHA-256 over kind and destination stand behind the id, so that a row whose
    destination was changed after the debit gets no signature.
    """
    bound = hashlib.sha256(f"{kind}\n{destination}".encode()).hexdigest()[:32]
    return f"withdrawal:{withdrawal_id.hex}:{bound}"


def return_reference(withdrawal_id: UUID) -> str:
    """Return the engine's reference of the credit that gives a withdrawal back."""
    return f"withdrawal:{withdrawal_id.hex}:return"

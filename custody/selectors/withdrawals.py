"""Questions about units on their way out and back in."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from compliance.intents import IntentState
from custody.errors import NotFound
from custody.models import TokenDeposit, Withdrawal, WithdrawalHalt
from custody.selectors.charges import CHARGES, charge_intent_id

_REFERENCE = re.compile(
    rf"withdrawal:(?P<id>[0-9a-f]{{32}})"
    rf"(?::(?P<bound>return|[0-9a-f]{{32}}))?(?::(?P<charge>{'|'.join(CHARGES)}))?"
)


def withdrawals_halted() -> WithdrawalHalt | None:
    """Return the oldest halt in force, or None."""
    return WithdrawalHalt.objects.filter(lifted_at=None).order_by("id").first()


def withdrawal_get(account: int, withdrawal_id: UUID) -> Withdrawal:
    """Return an account's withdrawal. Raises `NotFound`, for another account's too."""
    rows = Withdrawal.objects.select_related("asset", "payment")
    found = rows.filter(pk=withdrawal_id, account_id=account).first()
    if found is None:
        raise NotFound(f"no withdrawal {withdrawal_id} of account {account}")
    return found


def withdrawals_of(
    account: int,
    *,
    asset: int | None = None,
    state: str | None = None,
    after: tuple[datetime, UUID] | None = None,
) -> QuerySet[Withdrawal]:
    """Return an account's withdrawals, newest first, from behind (time, id) on.

    The caller cuts the page.
    """
    wanted = {"asset_id": asset, "state": state}
    rows = Withdrawal.objects.filter(
        account_id=account, **{name: value for name, value in wanted.items() if value is not None}
    )
    if after is not None:
        created_at, number = after
        rows = rows.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, id__lt=number))
    return rows.select_related("asset", "payment").order_by("-created_at", "-id")


def withdrawals_uncovered() -> int | None:
    """Return the sequence of the oldest debit that waits to be covered, or None."""
    held = Withdrawal.objects.filter(state=Withdrawal.State.HELD).order_by("engine_sequence")
    return held.values_list("engine_sequence", flat=True).first()


def withdrawals_unvoided() -> list[tuple[UUID, int]]:
    """Return (intent, deadline) of signatures that must run out before units go back."""
    rows = Withdrawal.objects.filter(
        state=Withdrawal.State.RETURNING, intent__deadline__gt=0
    ).order_by("id")
    return [(pk, int(deadline)) for pk, deadline in rows.values_list("id", "intent__deadline")]


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


def deposit_reference(transaction_hash: str, log_index: int) -> str:
    """Return the engine's reference of the credit that one event of the chain stands for."""
    return f"deposit:{transaction_hash.removeprefix('0x')}:{log_index}"


def withdrawals_in_flight(since: datetime) -> list[Withdrawal]:
    """Return withdrawals whose units were neither gone nor back at a time, or since."""
    back = Q(executed_at=None) & (Q(closed_at=None) | Q(closed_at__gte=since))
    rows = Withdrawal.objects.filter(back | Q(executed_at__gte=since))
    return list(rows.order_by("created_at"))


def withdrawn_units(kinds: Iterable[str], before: datetime) -> dict[int, int]:
    """Return base units per asset that the chain let go of before a time."""
    rows = Withdrawal.objects.filter(
        kind__in=kinds, intent__state=IntentState.CONFIRMED, executed_at__lt=before
    )
    sums = rows.order_by().values_list("asset_id").annotate(Sum("amount_units"))
    return {asset: int(units) for asset, units in sums}


def token_deposits_since(sequence: int) -> list[TokenDeposit]:
    """Return deposits that were not credited up to a sequence number."""
    rows = TokenDeposit.objects.filter(Q(engine_sequence=None) | Q(engine_sequence__gt=sequence))
    return list(rows.order_by("id"))


def token_deposit_units(upto_block: int) -> dict[int, int]:
    """Return base units per asset that came from outside wallets up to a block."""
    rows = TokenDeposit.objects.filter(block_number__lte=upto_block)
    sums = rows.order_by().values_list("asset_id").annotate(Sum("amount_units"))
    return {asset: int(units) for asset, units in sums}


def token_deposit_credited_as(reference: str) -> TokenDeposit | None:
    """Return the deposit whose credit carries this reference, or None when none does."""
    parts = reference.split(":")
    if len(parts) != 3 or parts[0] != "deposit" or not parts[2].isdecimal():
        return None
    rows = TokenDeposit.objects.filter(transaction_hash="0x" + parts[1], log_index=int(parts[2]))
    return rows.first()


def withdrawal_moved_as(reference: str) -> tuple[Withdrawal, UUID] | None:
    """Return the withdrawal that moved units under a reference, and the intent that does on chain.

    Of its debit, its return and what is charged with them, of the charges' credit to revenue too;
    None for any other reference.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    withdrawal = Withdrawal.objects.filter(pk=UUID(match["id"])).first()
    if withdrawal is None:
        return None
    debit = withdrawal_reference(withdrawal.pk, withdrawal.kind, withdrawal.destination)
    if match["bound"] not in (None, "return", debit.rpartition(":")[2]):
        return None
    return withdrawal, charge_intent_id(withdrawal.pk) if match["charge"] else withdrawal.pk

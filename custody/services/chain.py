"""Where custody's contracts stand, and what becomes of its intents."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from compliance import intent_life
from compliance import services as compliance
from compliance.intents import ExecutableIntent
from custody import selectors
from custody.errors import Conflict
from custody.models import GUARANTEE, SUSPENSE, Account, Asset, CustodyIntent
from custody.services.accounts import account_registered
from custody.services.charges import KIND as CHARGE
from custody.services.charges import charge_moved
from custody.services.issuance import issuance_minted
from custody.services.returning import withdrawal_refused
from custody.services.withdrawing import BURN, TRANSFER, withdrawal_executed

BODY = "custody"


@transaction.atomic
def chain_addresses_set(
    *,
    authority: str,
    account_registry: str,
    tokens: Mapping[int, str],
    chain_id: int,
    clearing_id: int,
    suspense: str,
    guarantee: str,
) -> None:
    """Write down where custody's contracts stand; `tokens` by asset number.

    For the deployment alone, safe to repeat. Raises `Conflict` when others are recorded.
    """
    assets = selectors.assets_by_id()
    for number, address in tokens.items():
        if assets[number].token_address not in (None, address):
            raise Conflict(f"token of {assets[number]} is {assets[number].token_address}")
        Asset.objects.filter(pk=number).update(token_address=address)
    for number, address in ((SUSPENSE, suspense), (GUARANTEE, guarantee)):
        # Their addresses are hashes of the instance; the deployment opened them in the registry.
        account = selectors.account_get(number)
        if account.address not in (None, address):
            raise Conflict(f"account {number} has address {account.address}, not {address}")
        Account.objects.filter(pk=number).update(address=address, registered_at=timezone.now())
    # Those that waited for contracts need not wait longer.
    Account.objects.filter(registered_at=None).update(due_at=timezone.now())
    compliance.chain_addresses_set(
        body=BODY,
        authority=authority,
        targets={
            "account_registry": account_registry,
            **{f"token:{assets[number].code}": address for number, address in tokens.items()},
        },
        chain_id=chain_id,
        clearing_id=clearing_id,
    )


def intents_executable(limit: int = 100) -> list[ExecutableIntent]:
    """Return custody's signed intents that are due."""
    return intent_life.intents_executable(CustodyIntent.objects.all(), body=BODY, limit=limit)


def intent_submitted(intent_id: UUID) -> None:
    """Note that a transaction carries the intent."""
    intent_life.intent_submitted(CustodyIntent.objects.all(), intent_id)


@transaction.atomic
def intent_confirmed(intent_id: UUID) -> None:
    """Note that the chain holds the call, and start what follows: the account is ready, the
    mint is credited, the withdrawal delivered, its charge revenue. Again changes nothing.
    """
    if not intent_life.intent_confirmed(CustodyIntent.objects.all(), intent_id):
        return
    intent = CustodyIntent.objects.get(pk=intent_id)
    if intent.kind == "open":
        account_registered(intent.account_id)
    elif intent.kind == "mint":
        issuance_minted(intent_id)
    elif intent.kind == CHARGE:
        charge_moved(intent_id)
    else:
        withdrawal_executed(intent_id)


def intent_failed(intent_id: UUID, error: str) -> None:
    """Note a failed attempt to carry the intent; it is due again later.

    A withdrawal that the contract will never allow goes back to its account.
    """
    intent_life.intent_failed(CustodyIntent.objects.all(), intent_id, error)
    if CustodyIntent.objects.filter(pk=intent_id, kind__in=[BURN, TRANSFER]).exists():
        withdrawal_refused(intent_id, error)

"""Accounts: numbered here, known to engine and chain before they are ready."""

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from compliance import calldata, intent_life
from compliance import selectors as compliance_selectors
from compliance import services as compliance
from compliance.wake import wake
from custody import locks, selectors
from custody.errors import Conflict, Invalid
from custody.models import Account, CustodyIntent
from custody.services.banking import virtual_account_open
from matching.client import engine
from matching.protocol.commands import OpenAccount
from matching.protocol.events import AccountOpened
from matching.protocol.faults import crash_point
from matching.protocol.units import AccountKind

BODY = "custody"
PREPARE_TASK = "custody.account_prepare"


@transaction.atomic
def account_open(*, holder: int) -> Account:
    """Open a member account for a holder and have it prepared; ready when engine and chain know it.

    Every call opens another account: the caller keeps the number in its own transaction.
    """
    if not 0 < holder < 2**63:
        raise Invalid(f"holder must be a positive 63-bit number, found {holder}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('custody_account_number')")
        number = cursor.fetchone()[0]
    account = Account.objects.create(id=number, holder=holder)
    virtual_account_open(number=number)
    intent_life.notify(BODY)
    wake(PREPARE_TASK, number)
    compliance.audit_append(
        body=BODY,
        actor="process:custody",
        action="account.opened",
        subject=f"account:{number}",
        detail={"holder": holder},
    )
    return account


def account_prepare(*, number: int) -> None:
    """Carry an account to engine, compliance and chain as far as it can go; may run any time.

    Raises `NotFound`, `EngineUnavailable`, `Conflict` when the engine knows the number otherwise.
    """
    account = selectors.account_get(number)
    if account.kind == Account.Kind.OUTSIDE:
        return
    if account.engine_sequence is None:
        sequence = _engine_open(account)
        crash_point("account.answered")
        Account.objects.filter(pk=number).update(engine_sequence=sequence)
    if account.address is not None and account.registered_at is None:
        assert account.attestation is not None
        compliance.address_register(
            holder=account.holder,
            account=number,
            address=account.address,
            attestation=bytes(account.attestation),
        )
        _open_intent_request(number)


def _engine_open(account: Account) -> int:
    revenue = account.kind == Account.Kind.REVENUE
    kind = AccountKind.REVENUE if revenue else AccountKind.MEMBER
    answer = engine().send(OpenAccount(account=account.pk, holder=account.holder, kind=kind))
    if not isinstance(answer.events[0], AccountOpened):
        raise Conflict(f"engine refused to open account {account.pk}: {answer.events[0]}")
    return answer.sequence


@transaction.atomic
def _open_intent_request(number: int) -> None:
    account = locks.account_lock(number)
    chain = compliance_selectors.chain_addresses_get(BODY)
    if chain is None or CustodyIntent.objects.filter(account=account, kind="open").exists():
        return
    assert account.address is not None
    intent = CustodyIntent(
        kind="open",
        target=chain.targets["account_registry"],
        data=calldata.open_account(account.address, chain.clearing_id),
        subject={"account": number},
        account=account,
    )
    intent_life.intent_request(intent, body=BODY)


@transaction.atomic
def account_address_set(*, number: int, address: str, attestation: bytes) -> None:
    """Write down the address that custody's signer derived; once.

    Raises `Conflict` when the account has another.
    """
    account = locks.account_lock(number)
    if account.address == address:
        return
    if account.address is not None:
        raise Conflict(f"account {number} has address {account.address}, derived {address}")
    account.address, account.attestation, account.due_at = address, attestation, timezone.now()
    account.save(update_fields=["address", "attestation", "due_at"])
    wake(PREPARE_TASK, number)


def account_retry(number: int) -> None:
    """Leave an account that is not ready to the sweeper, later each time, after the others."""
    compliance.put_off(
        Account.objects.filter(Q(engine_sequence=None) | Q(registered_at=None), pk=number)
    )


def account_registered(number: int) -> None:
    """Note that the chain's registry holds the account."""
    Account.objects.filter(pk=number, registered_at=None).update(registered_at=timezone.now())

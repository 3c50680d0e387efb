"""Accounts: one number in engine, ledger and chain."""

import sys
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from eth_abi.abi import decode

from compliance import services as compliance
from compliance.models import AuditRecord, HolderAddress
from custody import selectors, services
from custody.errors import Conflict, Invalid, NotFound, NotYet
from custody.models import GUARANTEE, REVENUE, SUSPENSE, Account, CustodyIntent
from custody.signer import CustodySigner
from matching.client import EngineClient, EngineUnavailable, engine
from matching.protocol.commands import OpenAccount
from matching.protocol.events import AccountOpened
from matching.protocol.units import AccountKind
from tests.custody.conftest import AUTHORITY, REGISTRY, TOKENS
from tests.custody.conftest import GUARANTEE as GUARANTEE_ADDRESS
from tests.custody.conftest import SUSPENSE as SUSPENSE_ADDRESS

pytestmark = pytest.mark.django_db
HOLDER = 77_000_000


def test_fixed_accounts_are_there_from_the_first_migration() -> None:
    kinds = {number: one.kind for number, one in selectors.accounts_by_number().items()}
    assert kinds == {1: "outside", 2: "revenue", 3: "suspense", 4: "guarantee"}


def test_account_becomes_ready_when_engine_and_chain_know_it(
    chain: None, signer: CustodySigner, engine_client: EngineClient
) -> None:
    account = services.account_open(holder=HOLDER)
    assert account.pk >= 1000 and not account.ready
    with pytest.raises(NotYet):
        selectors.account_addresses([account.pk])
    services.account_prepare(number=account.pk)
    assert signer.addresses_write() == 2  # the account's and that of revenue
    services.account_prepare(number=account.pk)
    services.account_prepare(number=account.pk)
    found = selectors.account_get(account.pk)
    assert found.engine_sequence is not None
    assert engine_client.send(OpenAccount(account.pk, HOLDER)).events == (
        AccountOpened(account.pk, HOLDER, AccountKind.MEMBER),
    )
    address = signer.address_derive(account.pk)
    assert selectors.account_addresses([account.pk]) == {account.pk: address}
    assert HolderAddress.objects.get(account=account.pk).address == address
    intent = CustodyIntent.objects.get(account=account)
    assert intent.target == REGISTRY
    assert decode(["address", "uint32"], bytes(intent.data)[4:]) == (address.lower(), 7)
    assert signer.intents_sign() == 1
    (ready,) = services.intents_executable(10)
    assert (ready.authority, ready.kind) == (AUTHORITY, "open")
    services.intent_submitted(ready.id)
    assert services.intents_executable(10) == []
    services.intent_confirmed(ready.id)
    services.intent_confirmed(ready.id)
    assert selectors.account_get(account.pk).ready


def test_sweep_prepares_every_account_and_the_fixed_ones(
    chain: None, signer: CustodySigner, engine_client: EngineClient
) -> None:
    account = services.account_open(holder=HOLDER)
    signer.work()
    services.sweep()
    known = selectors.accounts_by_number()
    assert all(known[n].engine_sequence for n in (REVENUE, SUSPENSE, GUARANTEE, account.pk))
    assert known[SUSPENSE].ready and known[GUARANTEE].ready
    assert known[SUSPENSE].address == SUSPENSE_ADDRESS
    assert known[GUARANTEE].address == GUARANTEE_ADDRESS
    opening = CustodyIntent.objects.order_by("account_id").values_list("account_id", flat=True)
    assert list(opening) == [REVENUE, account.pk]
    revenue = engine_client.send(OpenAccount(REVENUE, REVENUE, AccountKind.REVENUE))
    assert isinstance(revenue.events[0], AccountOpened)


def test_account_waits_when_the_engine_is_away(
    assets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXUS_ENGINE_SOCKET", "/nonexistent/engine.sock")
    engine.cache_clear()
    account = services.account_open(holder=HOLDER)
    with pytest.raises(EngineUnavailable):
        services.account_prepare(number=account.pk)
    assert account.pk in selectors.accounts_unready(10)
    services.sweep()
    account.refresh_from_db()
    assert (account.attempts, account.due_at > timezone.now()) == (1, True)
    engine.cache_clear()


def test_accounts_that_get_stuck_hold_up_no_other(
    engine_client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["custody.services.sweep"], "SWEEP_LIMIT", 2)
    Account.objects.filter(pk__in=(REVENUE, SUSPENSE, GUARANTEE)).update(
        engine_sequence=1, registered_at=timezone.now()
    )
    stuck = [services.account_open(holder=HOLDER + number) for number in range(3)]
    for account in stuck:
        engine_client.send(OpenAccount(account.pk, account.holder + 1))
    last = services.account_open(holder=HOLDER + 9)
    services.sweep()
    assert selectors.account_get(last.pk).engine_sequence is None
    services.sweep()
    assert selectors.account_get(last.pk).engine_sequence is not None
    tried = Account.objects.filter(pk__in=[account.pk for account in stuck])
    assert list(tried.values_list("attempts", "engine_sequence")) == [(1, None)] * 3


def test_engine_that_knows_the_number_otherwise_is_a_conflict(engine_client: EngineClient) -> None:
    account = services.account_open(holder=HOLDER)
    engine_client.send(OpenAccount(account.pk, HOLDER + 1))
    with pytest.raises(Conflict):
        services.account_prepare(number=account.pk)
    assert selectors.account_get(account.pk).engine_sequence is None


@pytest.mark.parametrize("holder", [0, -1, 2**63])
def test_account_is_refused_for_a_wrong_holder(holder: int) -> None:
    with pytest.raises(Invalid):
        services.account_open(holder=holder)
    assert Account.objects.count() == 4


def test_address_is_written_once(account: Account) -> None:
    services.account_address_set(number=account.pk, address="0xA", attestation=bytes(65))
    services.account_address_set(number=account.pk, address="0xA", attestation=bytes(65))
    with pytest.raises(Conflict):
        services.account_address_set(number=account.pk, address="0xB", attestation=bytes(65))
    assert selectors.account_get(account.pk).address == "0xA"


@pytest.mark.parametrize(("number", "kind"), [(999, "member"), (5, "revenue"), (1000, "outside")])
def test_database_refuses_a_number_outside_its_kind(number: int, kind: str) -> None:
    with pytest.raises(IntegrityError, match="account_number_by_kind"), transaction.atomic():
        Account.objects.create(id=number, holder=1, kind=kind)


def test_asset_terms_never_change(assets: None) -> None:
    terms: dict[str, Any] = {
        "asset_id": 2,
        "code": "XAU",
        "name": "Gold",
        "kind": "metal",
        "decimals": 3,
    }
    records = AuditRecord.objects.count()
    services.asset_register(**terms)
    assert AuditRecord.objects.count() == records
    change: dict[str, Any]
    for change in ({"decimals": 4}, {"kind": "cash"}, {"code": "XAX"}, {"asset_id": 99}):
        with pytest.raises(Conflict):
            services.asset_register(**{**terms, **change})
    for change in ({"code": "gold"}, {"kind": "stone"}, {"asset_id": 0}, {"decimals": 19}):
        with pytest.raises(Invalid):
            services.asset_register(**{**terms, **change})
    assert selectors.asset_get(code="XAU").decimals == 3
    with pytest.raises(NotFound):
        selectors.asset_get(code="XYZ")


def test_contract_addresses_are_written_once(chain: None) -> None:
    values: dict[str, Any] = {
        "authority": AUTHORITY,
        "account_registry": REGISTRY,
        "tokens": TOKENS,
        "chain_id": 31337,
        "clearing_id": 7,
        "suspense": SUSPENSE_ADDRESS,
        "guarantee": GUARANTEE_ADDRESS,
    }
    services.chain_addresses_set(**values)
    change: dict[str, Any]
    for change in (
        {"authority": REGISTRY},
        {"tokens": {**TOKENS, 2: AUTHORITY}},
        {"suspense": AUTHORITY},
        {"clearing_id": 8},
    ):
        with pytest.raises(Conflict), transaction.atomic():
            services.chain_addresses_set(**{**values, **change})
    assert selectors.asset_get(code="XAU").token_address == TOKENS[2]
    assert compliance.intents_executable() == []

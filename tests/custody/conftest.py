"""Fixtures of custody's tests: officers, assets, a bank, a vault with its auditor, contracts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from compliance import policy
from compliance import signer as body_signer
from custody import services
from custody.catalogue import ASSETS
from custody.models import Account
from custody.signer import CustodySigner
from tests.bodies import *
from tests.compliance.desks import Desk, desk_open
from tests.custody.outside import Witness, witness_admit

SECRET = "correct horse battery staple"
AUTHORITY = "0x00000000000000000000000000000000000000C1"
REGISTRY = "0x00000000000000000000000000000000000000c2"
SUSPENSE = "0x00000000000000000000000000000000000000C3"
GUARANTEE = "0x00000000000000000000000000000000000000c4"
TOKENS = {terms.id: f"0x{0xD0 + terms.id:040x}" for terms in ASSETS}


@pytest.fixture
def carol(db: None, keys: Path) -> Desk:
    """A trusted officer of custody."""
    return desk_open("carol", "custody")


@pytest.fixture
def dave(db: None, keys: Path) -> Desk:
    """Another trusted officer of custody."""
    return desk_open("dave", "custody")


@pytest.fixture
def assets(db: None) -> None:
    """The catalogue."""
    services.assets_register()


@pytest.fixture
def chain(assets: None, keys: Path) -> None:
    """Contracts as the deployment reports them."""
    services.chain_addresses_set(
        authority=AUTHORITY,
        account_registry=REGISTRY,
        tokens=TOKENS,
        chain_id=31337,
        clearing_id=7,
        suspense=SUSPENSE,
        guarantee=GUARANTEE,
    )


@pytest.fixture
def signer(keys: Path, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[CustodySigner]:
    """Custody's signer, opened as its process opens it."""
    policy.attestor_trust("compliance", body_signer.keystore_create("custody", SECRET))
    monkeypatch.setenv("NEXUS_SIGNER_PASSPHRASE", SECRET)
    yield CustodySigner.open()


@pytest.fixture
def account(assets: None) -> Account:
    """An account that engine and chain know, as far as rows say."""
    opened = services.account_open(holder=5_000_000)
    Account.objects.filter(pk=opened.pk).update(engine_sequence=1, registered_at=timezone.now())
    opened.refresh_from_db()
    return opened


@pytest.fixture
def bank(assets: None, keys: Path) -> Witness:
    return witness_admit("hana", "bank")


@pytest.fixture
def vault(assets: None, keys: Path) -> Witness:
    return witness_admit("brinks", "vault")


@pytest.fixture
def auditor(assets: None, keys: Path) -> Witness:
    return witness_admit("bureau", "auditor")


@pytest.fixture
def registrar(assets: None, keys: Path) -> Witness:
    return witness_admit("ksd", "registrar")

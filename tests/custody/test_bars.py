"""Bars out of the vault: promised once, burned for, ordered by a signature, released by another."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from compliance import policy
from compliance import signer as body_signer
from custody import evidence, selectors, services
from custody.errors import Conflict, EvidenceInvalid, Invalid, NotFound
from custody.models import Account, BarReservation, Issuance, ReleaseDue, VaultRelease, Withdrawal
from custody.sandbox.vault import Vault
from custody.signer import CustodySigner
from matching.client import EngineClient
from tests.compliance.desks import Desk, act_approved

pytestmark = pytest.mark.django_db
XAU = 2
KILO = 1_000_000
BARS = [
    {
        "refiner": "LS-MnM",
        "serial": serial,
        "year": 2026,
        "gross_units": KILO + 101,
        "fine_units": KILO,
        "fineness_ppm": 999_900,
    }
    for serial in ("K1", "K2", "K3")
]


@pytest.fixture
def sandbox(assets: None, keys: Path, signer: CustodySigner, tmp_path: Path) -> Vault:
    """A vault and its auditor, known to custody, which trusts custody's order key."""
    vault = Vault.found(tmp_path / "vault", "gamcheon", "yeongdo", settings.INSTANCE_ID)
    for role, name in (("vault", "gamcheon"), ("auditor", "yeongdo")):
        key = bytes.fromhex(vault.public_key(role))
        services.evidence_key_create(name=name, kind=role, public_key=key, actor="process:test")
        policy.evidence_trust("custody", name, role, key)
    vault.trust(signer.payment_public_key)
    return vault


@pytest.fixture
def member(
    chain: None,
    sandbox: Vault,
    signer: CustodySigner,
    engine_client: EngineClient,
    carol: Desk,
    dave: Desk,
) -> Account:
    """A member whose three kilobars were stored, counted, minted and credited."""
    policy.limit_set("custody", "withdraw", "XAU", 10 * KILO)
    policy.attestor_trust("custody", _clearing().address)
    account = services.account_open(holder=7_100_000)
    signer.work()
    services.sweep()
    signer.work()
    receipt = sandbox.audit(sandbox.store(account=account.pk, asset="XAU", bars=BARS))
    services.vault_receipt_receive(document=receipt)
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    act = act_approved(
        carol,
        dave,
        "custody.mint",
        evidence_kind="vault_receipt",
        evidence_id=receipt["receipt_id"],
        account=account.pk,
        asset=XAU,
        amount_units=3 * KILO,
    )
    services.act_execute(act_id=act.id)
    signer.work()
    for intent in services.intents_executable():
        services.intent_confirmed(intent.id)
    services.issuance_credit(issuance_id=Issuance.objects.get().pk)
    return selectors.account_get(account.pk)


def _clearing() -> body_signer.BodySigner:
    return body_signer.BodySigner("clearing", b"\x07" * 32)


def _wish(member: Account, destination: str, bars: int, reference: str = "B1") -> Withdrawal:
    return services.withdrawal_request(
        account=member.pk,
        asset=XAU,
        amount_units=bars * KILO,
        kind="bar",
        destination=destination,
        client_reference=reference,
        actor="member:test",
    )


def _burned(withdrawal: Withdrawal, signer: CustodySigner) -> None:
    services.withdrawal_advance(withdrawal_id=withdrawal.pk)
    withdrawal.refresh_from_db()
    sequence = withdrawal.engine_sequence
    assert sequence is not None, withdrawal.reason
    signature = _clearing().sign_typed(body_signer.coverage_typed(sequence))
    services.withdrawals_cover(sequence=sequence, signature=signature)
    services.sweep()
    assert signer.work() == 1
    services.intent_confirmed(withdrawal.pk)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "executed"


def test_bars_leave_the_vault_for_the_tokens_that_stood_for_them(
    member: Account, sandbox: Vault, signer: CustodySigner
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026,LS-MnM/K3/2026@KIM-7", 2)
    assert [bar.serial for bar in selectors.bars_available(XAU)] == ["K2"]
    assert selectors.outside_holdings()[XAU] == 3 * KILO
    _burned(withdrawal, signer)
    assert services.releases_send() == []
    assert signer.work() == 1, ReleaseDue.objects.get().error
    (order,) = services.releases_send()
    assert order["bars"] == ["LS-MnM/K1/2026", "LS-MnM/K3/2026"]
    assert (order["pickup"], order["fine_units"]) == ("KIM-7", 2 * KILO)
    released = sandbox.release(order)
    assert (sandbox.release(order), sandbox.shelf()) == (released, {"XAU": KILO})
    kept = services.vault_release_receive(document=released)
    assert services.vault_release_receive(document=released) == kept
    withdrawal.refresh_from_db()
    assert (withdrawal.state, services.releases_send()) == ("completed", [])
    assert selectors.outside_holdings()[XAU] == KILO
    assert selectors.outside_holdings(issued_only=True)[XAU] == 3 * KILO
    with pytest.raises(Conflict, match="promised"):
        _wish(member, "LS-MnM/K1/2026@KIM-8", 1, "B2")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE custody_vaultrelease SET fine_units = 1")


@pytest.mark.parametrize(
    ("destination", "bars", "error"),
    [
        ("LS-MnM/K1/2026@KIM", 2, Invalid),
        ("LS-MnM/K1/2026,LS-MnM/K1/2026@KIM", 2, Invalid),
        ("LS-MnM/K9/2026@KIM", 1, NotFound),
        ("LS-MnM/K1@KIM", 1, Invalid),
        ("LS-MnM/K1/2026", 1, Invalid),
        ("LS-MnM/K1/2026@", 1, Invalid),
    ],
)
def test_wish_for_other_weight_or_bars_is_refused(
    member: Account, destination: str, bars: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _wish(member, destination, bars)
    assert not BarReservation.objects.exists() and not Withdrawal.objects.exists()


def test_cancelled_wish_frees_its_bars(member: Account) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    with pytest.raises(Conflict, match="promised"):
        _wish(member, "LS-MnM/K1/2026@LEE", 1, "B2")
    services.withdrawal_cancel(account=member.pk, withdrawal_id=withdrawal.pk, actor="member:t")
    assert _wish(member, "LS-MnM/K1/2026@LEE", 1, "B2").state == "requested"


def test_release_is_believed_from_the_vault_and_for_the_ordered_bars_alone(
    member: Account, sandbox: Vault, signer: CustodySigner
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    _burned(withdrawal, signer)
    signer.work()
    released = sandbox.release(services.releases_send()[0])
    for changed in (
        {"bars": ["LS-MnM/K2/2026"]},
        {"fine_units": KILO + 1},
        {"withdrawal": "nobody"},
        {"signature": "00" * 64},
    ):
        with pytest.raises(EvidenceInvalid):
            services.vault_release_receive(document=released | changed)
    other = released | {"bars": ["LS-MnM/K2/2026"]}
    message = evidence.release_message(settings.INSTANCE_ID, other)
    other["signature"] = sandbox._sign("vault", message)
    with pytest.raises(EvidenceInvalid, match="ordered was"):
        services.vault_release_receive(document=other)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, VaultRelease.objects.count()) == ("executed", 0)


def test_release_before_the_burn_is_refused(
    member: Account, sandbox: Vault, signer: CustodySigner
) -> None:
    withdrawal = _wish(member, "LS-MnM/K1/2026@KIM", 1)
    ReleaseDue.objects.create(withdrawal=withdrawal, vault_id="gamcheon")
    assert signer.releases_sign() == 0
    assert "its burn is not final" in ReleaseDue.objects.get().error
    order = selectors.release_document(ReleaseDue.objects.get())
    with pytest.raises(PermissionError):
        sandbox.release(order)
    assert sandbox.shelf() == {"XAU": 3 * KILO}


def test_vault_is_a_program_of_its_own(tmp_path: Path) -> None:
    def vault(*arguments: str, given: str = "") -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "custody.sandbox.vault", "--folder", str(tmp_path), *arguments],
            input=given,
            capture_output=True,
            text=True,
            env={"PATH": ""},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    instance = "00000000-0000-0000-0000-000000000007"
    keys = vault("init", "--name", "v", "--auditor", "a", "--instance", instance)
    assert set(keys) == {"vault", "auditor"}
    bar = "LS-MnM/K1/2026:1000101:1000000:999900"
    stored = vault("store", "--account", "1000", "--asset", "XAU", "--bar", bar)
    counted = vault("audit", "-", given=json.dumps(stored))
    trusted = {"v": ("vault", bytes.fromhex(keys["vault"]))}
    trusted["a"] = ("auditor", bytes.fromhex(keys["auditor"]))
    evidence.receipt_verify(trusted, settings.INSTANCE_ID.__class__(instance), counted)
    assert vault("shelf") == {"XAU": KILO}
    assert vault("trust", "00" * 32) == {"custody_key": "00" * 32}

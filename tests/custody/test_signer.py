"""Custody's signer against a web process that can write any row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from eth_account import Account as Keys
from eth_account.messages import encode_typed_data

from compliance import officer_keys, policy
from compliance import signer as body_signer
from compliance.errors import Untrusted
from custody import services
from custody.models import Account, Asset, CustodyIntent, EvidenceKey, Issuance
from custody.services.issuance import mint_calldata
from custody.signer import CustodySigner
from matching.client import EngineClient
from tests.compliance.desks import Desk, act_approved, desk_open
from tests.custody.conftest import AUTHORITY, SECRET, TOKENS
from tests.custody.outside import Witness, bar, notice, receipt, witness_admit

pytestmark = pytest.mark.django_db
KILO = 1_000_000


@pytest.fixture
def ready(chain: None, signer: CustodySigner, account: Account) -> Account:
    """An account with its derived address, for which nothing waits."""
    signer.addresses_write()
    account.refresh_from_db()
    return account


def _force(*statements: str) -> None:
    """Write as somebody who owns the tables and has switched their guards off."""
    tables = ("custody_banknotice", "custody_vaultreceipt", "compliance_act")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _payload(document: dict[str, Any], asset: int, units: int) -> dict[str, Any]:
    kind = "bank_notice" if "notice_id" in document else "vault_receipt"
    return {
        "evidence_kind": kind,
        "evidence_id": document.get("notice_id") or document["receipt_id"],
        "account": document["account"],
        "asset": asset,
        "amount_units": units,
    }


def _mint(first: Desk, second: Desk, document: dict[str, Any], asset: int, units: int) -> None:
    act = act_approved(first, second, "custody.mint", **_payload(document, asset, units))
    services.act_execute(act_id=act.id)
    assert Issuance.objects.count() == 1


@pytest.fixture
def minting(ready: Account, carol: Desk, dave: Desk, vault: Witness, auditor: Witness) -> Issuance:
    """An honest mint of a kilogram of gold that waits for its signature."""
    document = receipt(vault, auditor, ready.pk, bar("A1", KILO))
    services.vault_receipt_receive(document=document)
    _mint(carol, dave, document, 2, KILO)
    return Issuance.objects.get()


def _nothing_signed(signer: CustodySigner, match: str) -> None:
    CustodyIntent.objects.update(due_at="2000-01-01T00:00:00Z")
    assert signer.intents_sign() == 0
    for intent in CustodyIntent.objects.filter(kind="mint"):
        assert (intent.signature, intent.state) == (None, "requested")
        assert match in intent.error
    assert services.intents_executable() == []


def test_honest_mint_is_signed_for_the_pinned_authority(
    signer: CustodySigner, minting: Issuance
) -> None:
    assert signer.intents_sign() == 1
    (mint,) = services.intents_executable()
    pin = policy.policy_load("custody").chain
    assert pin is not None and pin.authority == AUTHORITY
    typed = body_signer.execute_typed(
        pin=pin,
        target=mint.target,
        data=mint.data,
        identifier=mint.id_bytes,
        deadline=mint.deadline,
    )
    signable = encode_typed_data(full_message=typed)
    recovered = Keys.recover_message(signable, signature=mint.signature)
    assert recovered == signer.signer.address
    assert signer.intents_sign() == 0


def test_rogue_officers_get_no_signature(
    signer: CustodySigner, ready: Account, bank: Witness
) -> None:
    first = desk_open("mallory", "custody", trusted=False)
    second = desk_open("malvin", "custody", trusted=False)
    document = notice(bank, ready.pk, 5_000)
    services.bank_notice_receive(document=document)
    _mint(first, second, document, 1, 5_000)
    _nothing_signed(signer, "does not list mallory")


def test_rogue_bank_gets_no_signature(
    signer: CustodySigner, ready: Account, carol: Desk, dave: Desk
) -> None:
    """An evidence key inserted as a row passes the service; the signer asks its own file."""
    rogue = witness_admit("easybank", "bank", trusted=False)
    document = notice(rogue, ready.pk, 5_000)
    services.bank_notice_receive(document=document)
    _mint(carol, dave, document, 1, 5_000)
    _nothing_signed(signer, "no bank called 'easybank'")


def test_rogue_key_in_a_trusted_banks_row_gets_no_signature(
    signer: CustodySigner, ready: Account, carol: Desk, dave: Desk, bank: Witness, tmp_path: Path
) -> None:
    stolen = tmp_path / "stolen.key"
    EvidenceKey.objects.filter(name="hana").update(public_key=officer_keys.key_create(stolen))
    document = notice(Witness("hana", stolen), ready.pk, 5_000)
    services.bank_notice_receive(document=document)
    _mint(carol, dave, document, 1, 5_000)
    _nothing_signed(signer, "signature of bank 'hana' does not cover")


Forgery = Callable[[CustodySigner, Issuance], None]


def _intent(issuance: Issuance) -> CustodyIntent:
    assert issuance.intent is not None
    return issuance.intent


def _more_units(signer: CustodySigner, issuance: Issuance) -> None:
    intent = _intent(issuance)
    address = signer.address_derive(intent.account_id)
    reference = issuance.receipt_id
    intent.data = mint_calldata("vault_receipt", str(reference), address, KILO * 2)
    intent.save()


def _more_units_everywhere(signer: CustodySigner, issuance: Issuance) -> None:
    _more_units(signer, issuance)
    _force(
        "UPDATE custody_vaultreceipt SET fine_units = 2000000, auditor_fine_units = 2000000",
        "UPDATE compliance_act SET payload = jsonb_set(payload, '{amount_units}', '2000000')",
        "UPDATE custody_issuance SET amount_units = 2000000",
    )


def _evidence_edited(signer: CustodySigner, issuance: Issuance) -> None:
    _force("UPDATE custody_vaultreceipt SET fine_units = 5, auditor_fine_units = 5")


def _other_token(signer: CustodySigner, issuance: Issuance) -> None:
    intent = _intent(issuance)
    intent.target = TOKENS[1]
    intent.save()


def _other_receiver(signer: CustodySigner, issuance: Issuance) -> None:
    intent = _intent(issuance)
    intent.data = mint_calldata(
        "vault_receipt", str(issuance.receipt_id), Keys.create().address, KILO
    )
    intent.save()


def _other_account(signer: CustodySigner, issuance: Issuance) -> None:
    thief = services.account_open(holder=666_000)
    intent = _intent(issuance)
    intent.account = thief
    intent.data = mint_calldata(
        "vault_receipt", str(issuance.receipt_id), signer.address_derive(thief.pk), KILO
    )
    intent.save()


def _codes_swapped(signer: CustodySigner, issuance: Issuance) -> None:
    """Gold's row called silver: receipts are signed over the code, and tokens pinned by it."""
    Asset.objects.filter(code="XAG").update(code="XAX")
    Asset.objects.filter(code="XAU").update(code="XAG")


def _burn(signer: CustodySigner, issuance: Issuance) -> None:
    intent = _intent(issuance)
    intent.kind = "burn"
    intent.save()
    CustodyIntent.objects.filter(pk=intent.pk).update(kind="burn")


def _without_issuance(signer: CustodySigner, issuance: Issuance) -> None:
    Issuance.objects.update(intent=None)


def _act_replayed(signer: CustodySigner, issuance: Issuance) -> None:
    """The same act's approval put behind another receipt."""
    vault, auditor = witness_admit("v2", "vault"), witness_admit("a2", "auditor")
    document = receipt(vault, auditor, issuance.account_id, bar("B1", KILO), receipt_id="R2")
    services.vault_receipt_receive(document=document)
    Issuance.objects.update(receipt_id="R2")
    address = signer.address_derive(issuance.account_id)
    CustodyIntent.objects.filter(kind="mint").update(
        data=mint_calldata("vault_receipt", "R2", address, KILO)
    )


@pytest.mark.parametrize(
    ("forge", "match"),
    [
        (_more_units, "calldata differ"),
        (_more_units_everywhere, "does not cover it"),
        (_evidence_edited, "bars hold 1000000"),
        (_other_token, "calldata differ"),
        (_other_receiver, "calldata differ"),
        (_other_account, "evidence is for account"),
        (_codes_swapped, "does not cover the document"),
        (_without_issuance, "no issuance stands behind"),
        (_act_replayed, "other evidence"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_forged_rows_get_no_signature(
    signer: CustodySigner, minting: Issuance, forge: Forgery, match: str
) -> None:
    forge(signer, minting)
    _nothing_signed(signer, match)


def test_other_calls_get_no_signature(signer: CustodySigner, minting: Issuance) -> None:
    _burn(signer, minting)
    assert signer.intents_sign() == 0
    intent = CustodyIntent.objects.get(kind="burn")
    assert intent.signature is None
    assert "no withdrawal stands behind" in intent.error


def test_opening_is_signed_for_derived_addresses_only(
    signer: CustodySigner, chain: None, engine_client: EngineClient
) -> None:
    account = services.account_open(holder=5_000_001)
    mine = Keys.create().address
    Account.objects.filter(pk=account.pk).update(address=mine, attestation=bytes(65))
    services.account_prepare(number=account.pk)
    signer.work()
    intent = CustodyIntent.objects.get(account=account)
    assert (intent.kind, intent.signature) == ("open", None)
    assert "calldata differ" in intent.error


def test_addresses_are_derived_from_the_seed_and_attested(
    signer: CustodySigner, ready: Account
) -> None:
    again = CustodySigner.open()
    assert ready.address == again.address_derive(ready.pk) != again.address_derive(ready.pk + 1)
    assert ready.attestation is not None
    fields: dict[str, Any] = {
        "attestor": signer.signer.address,
        "holder": ready.holder,
        "account": ready.pk,
        "address": str(ready.address),
        "attestation": bytes(ready.attestation),
    }
    body_signer.attestation_check(**fields)
    for change in (
        {"holder": 1},
        {"account": 1},
        {"address": Keys.create().address},
        {"attestation": b"short"},
        {"attestor": ""},
    ):
        with pytest.raises(Untrusted):
            body_signer.attestation_check(**{**fields, **change})


def test_lost_seed_is_not_replaced(signer: CustodySigner, ready: Account, keys: Path) -> None:
    (keys / "custody.seed.json").unlink()
    with pytest.raises(LookupError, match=r"custody\.seed\.json"):
        CustodySigner.open()
    assert not (keys / "custody.seed.json").exists()


def test_seed_and_key_need_custodys_own_passphrase(
    signer: CustodySigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXUS_SIGNER_PASSPHRASE", SECRET + "?")
    with pytest.raises(ValueError, match="MAC"):
        CustodySigner.open()

"""Securities: a registrar's signed word, approved by two, minted once and for the account named."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from eth_abi.abi import decode
from eth_utils.crypto import keccak

from compliance import selectors as compliance_selectors
from custody import evidence, selectors, services
from custody.errors import Conflict, EvidenceInvalid
from custody.models import Account, CustodyIntent, Issuance, RegistrarNotice
from custody.signer import CustodySigner
from tests.compliance.desks import Desk, act_approved
from tests.custody.conftest import TOKENS
from tests.custody.outside import Witness, registration, witness_admit

pytestmark = pytest.mark.django_db
SHARE = "GDC"


@pytest.fixture
def ready(chain: None, signer: CustodySigner, account: Account) -> Account:
    """An account with its derived address."""
    signer.addresses_write()
    account.refresh_from_db()
    return account


def _minted(first: Desk, second: Desk, document: dict[str, Any]) -> Issuance:
    asset = selectors.asset_get(code=document["asset"]).pk
    payload = {
        "evidence_kind": "registrar_notice",
        "evidence_id": document["notice_id"],
        "account": document["account"],
        "asset": asset,
        "amount_units": document["amount_units"],
    }
    act = act_approved(first, second, "custody.mint", **payload)
    services.act_execute(act_id=act.id)
    done = compliance_selectors.act_get(act.id)
    assert done.state == "executed", done.result
    return Issuance.objects.get(act=done)


def test_registration_is_kept_once_and_vouches_for_securities(
    registrar: Witness, account: Account
) -> None:
    document = registration(registrar, account.pk, SHARE, 250)
    kept = services.registrar_notice_receive(document=document)
    assert services.registrar_notice_receive(document=document) == kept
    assert selectors.registrar_document(kept) == document
    assert selectors.outside_holdings()[kept.asset_id] == 250
    assert selectors.outside_holdings(issued_only=True)[kept.asset_id] == 0
    with pytest.raises(Conflict):
        services.registrar_notice_receive(
            document=registration(
                registrar, account.pk, SHARE, 251, notice_id=document["notice_id"]
            )
        )
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE custody_registrarnotice SET amount_units = 251")
    assert RegistrarNotice.objects.get().amount_units == 250


@pytest.mark.parametrize(
    "change", [{"asset": "XAU"}, {"asset": "KRW"}, {"amount_units": 0}, {"registrar": "nobody"}]
)
def test_registration_is_refused_when_it_is_no_security_or_nobodys(
    registrar: Witness, account: Account, change: dict[str, Any]
) -> None:
    document = registration(registrar, account.pk, SHARE, 250, **change)
    with pytest.raises(EvidenceInvalid):
        services.registrar_notice_receive(document=document)
    assert not RegistrarNotice.objects.exists()


def test_registration_of_a_bank_is_no_evidence(bank: Witness, account: Account) -> None:
    with pytest.raises(EvidenceInvalid, match="no registrar called"):
        services.registrar_notice_receive(document=registration(bank, account.pk, SHARE, 250))


def test_securities_are_minted_under_the_one_id_of_their_notice(
    signer: CustodySigner, ready: Account, registrar: Witness, carol: Desk, dave: Desk
) -> None:
    document = registration(registrar, ready.pk, SHARE, 250)
    services.registrar_notice_receive(document=document)
    issuance = _minted(carol, dave, document)
    assert signer.intents_sign() == 1
    (mint,) = services.intents_executable()
    assert mint.id == evidence.intent_id("registrar_notice", document["notice_id"])
    assert mint.target == TOKENS[issuance.asset_id]
    assert mint.data[:4] == keccak(text="mint(address,uint256)")[:4]
    assert decode(["address", "uint256"], mint.data[4:]) == (str(ready.address).lower(), 250)


def test_securities_are_not_minted_again_under_another_id(
    signer: CustodySigner, ready: Account, registrar: Witness, carol: Desk, dave: Desk
) -> None:
    document = registration(registrar, ready.pk, SHARE, 250)
    services.registrar_notice_receive(document=document)
    first = _minted(carol, dave, document).intent
    assert first is not None and signer.intents_sign() == 1
    again = CustodyIntent.objects.create(
        id=uuid4(),
        kind="mint",
        target=first.target,
        data=bytes(first.data),
        subject=first.subject,
        account=ready,
    )
    Issuance.objects.update(intent=again)
    assert signer.intents_sign() == 0
    again.refresh_from_db()
    assert (again.signature, again.state) == (None, "requested")
    assert "not the one that this notice mints by" in again.error


def test_securities_get_no_signature_when_their_registrar_is_not_trusted(
    signer: CustodySigner, ready: Account, carol: Desk, dave: Desk
) -> None:
    rogue = witness_admit("easyregister", "registrar", trusted=False)
    document = registration(rogue, ready.pk, SHARE, 250)
    services.registrar_notice_receive(document=document)
    intent = _minted(carol, dave, document).intent
    assert intent is not None and signer.intents_sign() == 0
    intent.refresh_from_db()
    assert intent.signature is None
    assert "no registrar called 'easyregister'" in intent.error

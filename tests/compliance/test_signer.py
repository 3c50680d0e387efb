"""Compliance's signer against a web process that can write any row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.db import connection
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.backends import get_backend
from eth_keys.backends.coincurve import CoinCurveECCBackend

from compliance import acts, calldata, officer_keys, policy, selectors, services
from compliance import signer as signing
from compliance.errors import Conflict, Untrusted
from compliance.models import Act, HolderAddress, Officer, Party, RegistryIntent
from compliance.signer import BodySigner
from matching.client import EngineClient
from tests.compliance.desks import REASON, Desk, act_approved, desk_open
from tests.compliance.test_parties import AUTHORITY, REGISTRY, _chain

pytestmark = pytest.mark.django_db
SECRET = "correct horse battery staple"


@pytest.fixture
def custody_signer(keys: Path) -> BodySigner:
    """Custody's key, whose attestations compliance trusts."""
    address = signing.keystore_create("custody", SECRET)
    policy.attestor_trust("compliance", address)
    return BodySigner("custody", signing.keystore_open("custody", SECRET))


@pytest.fixture
def signer(keys: Path, monkeypatch: pytest.MonkeyPatch) -> BodySigner:
    """Compliance's signer, opened as its process opens it."""
    signing.keystore_create("compliance", SECRET)
    monkeypatch.setenv("NEXUS_SIGNER_PASSPHRASE", SECRET)
    return BodySigner.open("compliance")


@pytest.fixture
def address(party: Party, custody_signer: BodySigner) -> HolderAddress:
    """The party's account address, attested by custody."""
    location = Account.create().address
    typed = signing.attestation_typed(holder=party.holder, account=1000, address=location)
    return services.address_register(
        holder=party.holder,
        account=1000,
        address=location,
        attestation=custody_signer.sign_typed(typed),
    )


@pytest.fixture
def identified(
    engine_client: EngineClient, grace: Desk, henry: Desk, address: HolderAddress
) -> Party:
    """A party identified by two trusted officers, known to the engine, its intent requested."""
    _chain()
    act = act_approved(grace, henry, "compliance.identify", holder=address.holder, classes=1)
    services.act_execute(act_id=act.id)
    found = selectors.party_get(holder=address.holder)
    services.eligibility_apply(party_id=found.pk)
    return found


def _force(statement: str, *values: Any) -> None:
    """Write as somebody who owns the tables and has switched their guards off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE compliance_act DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE compliance_act ENABLE TRIGGER USER")


def _nothing_signed(signer: BodySigner, match: str) -> None:
    RegistryIntent.objects.update(due_at="2000-01-01T00:00:00Z")
    assert signing.registry_intents_sign(signer) == 0
    for intent in RegistryIntent.objects.filter(state="requested"):
        assert intent.signature is None
        assert match in intent.error
    assert not RegistryIntent.objects.filter(signature__isnull=False).exists()
    assert services.intents_executable() == []


def test_signature_is_what_the_authority_checks(signer: BodySigner, identified: Party) -> None:
    assert signing.registry_intents_sign(signer) == 1
    (ready,) = services.intents_executable()
    assert (ready.authority, ready.target) == (AUTHORITY, REGISTRY)
    assert ready.id_bytes == bytes(16) + ready.id.bytes
    pin = policy.policy_load("compliance").chain
    assert pin is not None
    assert pin.salt == configured.INSTANCE_ID.bytes + bytes(16)
    typed = signing.execute_typed(
        pin=pin,
        target=ready.target,
        data=ready.data,
        identifier=ready.id_bytes,
        deadline=ready.deadline,
    )
    assert len(ready.signature) == 65 and ready.signature[64] in (27, 28)
    signable = encode_typed_data(full_message=typed)
    assert Account.recover_message(signable, signature=ready.signature) == signer.address
    assert signing.registry_intents_sign(signer) == 0


def test_intent_is_signed_anew_when_its_deadline_nears(
    signer: BodySigner, identified: Party
) -> None:
    signing.registry_intents_sign(signer)
    before = RegistryIntent.objects.get()
    RegistryIntent.objects.update(deadline=before.deadline - 3600 + 60)
    assert services.intents_executable() == []
    assert signing.registry_intents_sign(signer) == 1
    (ready,) = services.intents_executable()
    assert ready.deadline >= before.deadline


def test_freeze_is_signed_with_the_engines_sequence(
    signer: BodySigner, grace: Desk, henry: Desk, identified: Party
) -> None:
    act = act_approved(grace, henry, "compliance.freeze", holder=identified.holder)
    services.act_execute(act_id=act.id)
    services.eligibility_apply(party_id=identified.pk)
    assert signing.registry_intents_sign(signer) == 1
    identified.refresh_from_db()
    (ready,) = services.intents_executable()
    address = HolderAddress.objects.get().address
    assert identified.frozen_sequence is not None
    assert ready.data == calldata.set_status(
        address,
        verified=True,
        frozen=True,
        frozen_sequence=identified.frozen_sequence,
        version=2,
    )
    ahead = identified.frozen_sequence + 1000
    RegistryIntent.objects.filter(version=2).update(
        state="requested",
        signature=None,
        subject={"frozen_sequence": ahead},
        data=calldata.set_status(
            address, verified=True, frozen=True, frozen_sequence=ahead, version=2
        ),
    )
    _nothing_signed(signer, "lies ahead of the engine")


def test_rogue_officers_get_no_signature(
    signer: BodySigner, engine_client: EngineClient, address: HolderAddress
) -> None:
    """Rows alone, even valid ones with valid signatures, make nobody an officer."""
    _chain()
    first = desk_open("mallory", "compliance", trusted=False)
    second = desk_open("malvin", "compliance", trusted=False)
    act = act_approved(first, second, "compliance.identify", holder=address.holder, classes=1)
    services.act_execute(act_id=act.id)
    services.eligibility_apply(party_id=Party.objects.get().pk)
    assert RegistryIntent.objects.count() == 1
    _nothing_signed(signer, "does not list mallory")


def test_rogue_key_in_a_trusted_officers_row_gets_no_signature(
    signer: BodySigner,
    engine_client: EngineClient,
    grace: Desk,
    henry: Desk,
    address: HolderAddress,
    tmp_path: Path,
) -> None:
    _chain()
    stolen = tmp_path / "stolen.key"
    Officer.objects.filter(pk=henry.officer.pk).update(public_key=officer_keys.key_create(stolen))
    rogue = Desk(selectors.officer_get("henry"), stolen)
    act = act_approved(grace, rogue, "compliance.identify", holder=address.holder, classes=1)
    services.act_execute(act_id=act.id)
    services.eligibility_apply(party_id=Party.objects.get().pk)
    _nothing_signed(signer, "signature of henry does not cover it")


Forgery = Callable[[RegistryIntent, Act], None]


def _other_address(intent: RegistryIntent, act: Act) -> None:
    mine = Account.create().address
    HolderAddress.objects.update(address=mine)
    intent.data = calldata.set_status(
        mine, verified=True, frozen=False, frozen_sequence=0, version=1
    )
    intent.save()


def _other_status(intent: RegistryIntent, act: Act) -> None:
    intent.data = calldata.set_status(
        intent.address.address, verified=True, frozen=False, frozen_sequence=0, version=2
    )
    intent.save()


def _other_target(intent: RegistryIntent, act: Act) -> None:
    intent.target = AUTHORITY
    intent.save()


def _other_holder(intent: RegistryIntent, act: Act) -> None:
    HolderAddress.objects.update(holder=act.payload["holder"] + 1)


def _act_edited(intent: RegistryIntent, act: Act) -> None:
    _force("UPDATE compliance_act SET payload = jsonb_set(payload, '{classes}', '3')")


def _act_approved_by_proposer(intent: RegistryIntent, act: Act) -> None:
    _force(
        "ALTER TABLE compliance_act DROP CONSTRAINT act_two_officers;"
        "UPDATE compliance_act SET approver_id = proposer_id, approver_signature = %s",
        b"1" * 64,
    )


def _act_gone(intent: RegistryIntent, act: Act) -> None:
    _force("DELETE FROM compliance_act")


def _later_version(intent: RegistryIntent, act: Act) -> None:
    """The identification replayed as version 2, to undo a freeze."""
    intent.version = 2
    intent.data = calldata.set_status(
        intent.address.address, verified=True, frozen=False, frozen_sequence=0, version=2
    )
    intent.save()


@pytest.mark.parametrize(
    ("forge", "match"),
    [
        (_other_address, "attested by"),
        (_other_holder, "attested by"),
        (_other_status, "calldata differs"),
        (_other_target, "not the pinned identity registry"),
        (_act_edited, "does not cover it"),
        (_act_approved_by_proposer, "cannot be two officers"),
        (_act_gone, "no unbroken line of acts"),
        (_later_version, "no unbroken line of acts"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_forged_rows_get_no_signature(
    signer: BodySigner, identified: Party, forge: Forgery, match: str
) -> None:
    forge(RegistryIntent.objects.select_related("address").get(), Act.objects.get())
    _nothing_signed(signer, match)


def test_forged_signature_bytes_of_a_trusted_officer_get_no_signature(
    signer: BodySigner, identified: Party, grace: Desk
) -> None:
    act = Act.objects.get()
    again = grace.sign(act.id, act.kind, act.payload)
    _force("UPDATE compliance_act SET approver_signature = %s", again[::-1])
    _nothing_signed(signer, "signature of henry")


def test_redirected_contracts_get_no_signature(signer: BodySigner, identified: Party) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE compliance_chainaddresses SET authority=%s", [REGISTRY])
    signing.registry_intents_sign(signer)
    (ready,) = services.intents_executable()
    pin = policy.policy_load("compliance").chain
    assert pin is not None and pin.authority == AUTHORITY
    typed = signing.execute_typed(
        pin=pin,
        target=ready.target,
        data=ready.data,
        identifier=ready.id_bytes,
        deadline=ready.deadline,
    )
    recovered = Account.recover_message(
        encode_typed_data(full_message=typed), signature=ready.signature
    )
    assert recovered == signer.address


def test_nothing_is_signed_without_pinned_contracts(
    signer: BodySigner, identified: Party, keys: Path
) -> None:
    (keys / "compliance.policy.json").unlink()
    _nothing_signed(signer, "pins no contracts")


def test_deferred_intent_is_signed_once_its_officers_are_trusted(
    signer: BodySigner, engine_client: EngineClient, address: HolderAddress
) -> None:
    _chain()
    first = desk_open("irene", "compliance", trusted=False)
    second = desk_open("jack", "compliance", trusted=False)
    act = act_approved(first, second, "compliance.identify", holder=address.holder, classes=1)
    services.act_execute(act_id=act.id)
    services.eligibility_apply(party_id=Party.objects.get().pk)
    _nothing_signed(signer, "does not list irene")
    for desk in (first, second):
        name = desk.officer.user.username
        policy.officer_trust("compliance", name, bytes(desk.officer.public_key))
    RegistryIntent.objects.update(due_at="2000-01-01T00:00:00Z")
    assert signing.registry_intents_sign(signer) == 1


def test_one_key_cannot_be_trusted_under_two_names(keys: Path) -> None:
    policy.officer_trust("compliance", "a", b"k" * 32)
    policy.officer_trust("compliance", "a", b"k" * 32)
    for name, key in (("b", b"k" * 32), ("a", b"j" * 32)):
        with pytest.raises(Conflict):
            policy.officer_trust("compliance", name, key)
    assert policy.policy_load("compliance").officers == {"a": b"k" * 32}
    assert (keys / "compliance.policy.json").stat().st_mode & 0o777 == 0o600


def test_keys_are_computed_in_a_time_that_tells_nothing_of_them() -> None:
    assert isinstance(get_backend(), CoinCurveECCBackend)


def test_key_store_opens_with_its_own_passphrase_only(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = signing.keystore_create("venue", SECRET)
    assert signing.keystore_create("venue", SECRET) == address
    path = keys / "venue.json"
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("NEXUS_SIGNER_PASSPHRASE", "wrong")
    with pytest.raises(ValueError, match="MAC"):
        BodySigner.open("venue")
    monkeypatch.delenv("NEXUS_SIGNER_PASSPHRASE")
    with pytest.raises(LookupError):
        BodySigner.open("venue")


def test_act_of_another_body_is_not_mistaken(grace: Desk, henry: Desk, party: Party) -> None:
    act = act_approved(grace, henry, "compliance.freeze", holder=party.holder)
    trust = policy.policy_load("compliance")
    signing.act_check(selectors.act_get(act.id), trust)
    with pytest.raises(Untrusted, match="does not list"):
        signing.act_check(selectors.act_get(act.id), policy.policy_load("custody"))
    message = acts.act_message(
        instance=uuid4(),
        act_id=act.id,
        body=act.body,
        kind=act.kind,
        payload=act.payload,
        reason=REASON,
    )
    assert not acts.signature_verify(
        trust.officers["grace"], bytes(act.proposer_signature), message
    )

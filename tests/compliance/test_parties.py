"""From an officer's act to the engine's eligibility and the wish for the registry."""

import pytest
from eth_abi.abi import decode

from compliance import selectors, services
from compliance.errors import Conflict, Invalid, NotFound
from compliance.models import AuditRecord, HolderAddress, Party, RegistryIntent
from matching.client import EngineClient, EngineUnavailable, engine
from matching.protocol.commands import SetEligibility
from matching.protocol.events import EligibilityChanged
from tests.compliance.desks import Desk, act_approved

pytestmark = pytest.mark.django_db
ADDRESS = "0x00000000000000000000000000000000000000A1"
REGISTRY = "0x00000000000000000000000000000000000000F1"
AUTHORITY = "0x00000000000000000000000000000000000000F2"


def _chain() -> None:
    services.chain_addresses_set(
        authority=AUTHORITY,
        targets={"identity_registry": REGISTRY},
        chain_id=31337,
        clearing_id=7,
    )


def _executed(first: Desk, second: Desk, kind: str, holder: int, **payload: int) -> Party:
    act = act_approved(first, second, kind, holder=holder, **payload)
    services.act_execute(act_id=act.id)
    return selectors.party_get(holder=holder)


def _address(party: Party) -> HolderAddress:
    return services.address_register(
        holder=party.holder, account=1000, address=ADDRESS, attestation=bytes(65)
    )


def test_applicant_gets_an_opaque_holder_number_and_may_trade_nothing(party: Party) -> None:
    assert 1000 <= party.holder < 2**52
    assert (party.state, party.classes, party.version) == ("applied", 0, 0)
    services.eligibility_apply(party_id=party.pk)
    party.refresh_from_db()
    assert party.engine_sequence is None


@pytest.mark.parametrize(
    ("name", "kind", "jurisdiction"),
    [(" ", "person", "KR"), ("A", "robot", "KR"), ("A", "person", "kr"), ("A", "person", "KOR")],
)
def test_application_is_refused_when_malformed(name: str, kind: str, jurisdiction: str) -> None:
    with pytest.raises(Invalid):
        services.party_apply(
            legal_name=name, kind=kind, jurisdiction=jurisdiction, actor="process:test"
        )
    assert not Party.objects.exists()


def test_executed_acts_move_the_party_one_version_each(
    grace: Desk, henry: Desk, party: Party
) -> None:
    known = _executed(grace, henry, "compliance.identify", party.holder, classes=3)
    assert (known.state, known.classes, known.frozen, known.version) == ("identified", 3, False, 1)
    frozen = _executed(grace, henry, "compliance.freeze", party.holder)
    assert (frozen.state, frozen.classes, frozen.frozen, frozen.version) == (
        "identified",
        3,
        True,
        2,
    )
    thawed = _executed(grace, henry, "compliance.unfreeze", party.holder)
    assert (thawed.frozen, thawed.version) == (False, 3)
    barred = _executed(grace, henry, "compliance.identify", party.holder, classes=0)
    assert (barred.state, barred.classes, barred.version) == ("restricted", 0, 4)


def test_executing_an_act_twice_changes_nothing(grace: Desk, henry: Desk, party: Party) -> None:
    act = act_approved(grace, henry, "compliance.identify", holder=party.holder, classes=1)
    services.act_execute(act_id=act.id)
    records = AuditRecord.objects.count()
    services.act_execute(act_id=act.id)
    assert selectors.party_get(holder=party.holder).version == 1
    assert AuditRecord.objects.count() == records
    done = selectors.act_get(act.id)
    assert (done.state, done.result) == ("executed", {"holder": party.holder, "version": 1})


def test_overtaken_act_fails_and_leaves_the_party(grace: Desk, henry: Desk, party: Party) -> None:
    first = act_approved(grace, henry, "compliance.identify", holder=party.holder, classes=1)
    second = act_approved(grace, henry, "compliance.freeze", holder=party.holder)
    services.act_execute(act_id=second.id)
    services.act_execute(act_id=first.id)
    assert selectors.act_get(first.id).state == "failed"
    known = selectors.party_get(holder=party.holder)
    assert (known.classes, known.frozen, known.version) == (0, True, 1)


def test_eligibility_reaches_the_engine_once(
    engine_client: EngineClient, grace: Desk, henry: Desk, party: Party
) -> None:
    known = _executed(grace, henry, "compliance.identify", party.holder, classes=1)
    assert selectors.parties_behind(10) == [known.pk]
    services.eligibility_apply(party_id=known.pk)
    known.refresh_from_db()
    assert known.engine_sequence is not None
    assert selectors.parties_behind(10) == []
    again = engine_client.send(SetEligibility(party.holder, 1, 1))
    assert again.events == (EligibilityChanged(party.holder, 1, 1, False),)
    first = known.engine_sequence
    services.eligibility_apply(party_id=known.pk)
    known.refresh_from_db()
    assert known.engine_sequence == first


def test_freeze_keeps_the_sequence_at_which_it_began(
    engine_client: EngineClient, grace: Desk, henry: Desk, party: Party
) -> None:
    frozen = _executed(grace, henry, "compliance.freeze", party.holder)
    services.eligibility_apply(party_id=frozen.pk)
    frozen.refresh_from_db()
    began = frozen.frozen_sequence
    assert began == frozen.engine_sequence
    later = _executed(grace, henry, "compliance.identify", party.holder, classes=1)
    services.eligibility_apply(party_id=later.pk)
    later.refresh_from_db()
    assert later.frozen_sequence == began
    assert later.engine_sequence is not None and began is not None
    assert later.engine_sequence > began
    thawed = _executed(grace, henry, "compliance.unfreeze", party.holder)
    services.eligibility_apply(party_id=thawed.pk)
    thawed.refresh_from_db()
    assert thawed.frozen_sequence is None


def test_engine_ahead_of_the_record_is_a_conflict(
    engine_client: EngineClient, grace: Desk, henry: Desk, party: Party
) -> None:
    engine_client.send(SetEligibility(party.holder, 9, 3))
    known = _executed(grace, henry, "compliance.identify", party.holder, classes=1)
    with pytest.raises(Conflict, match="engine refused"):
        services.eligibility_apply(party_id=known.pk)
    known.refresh_from_db()
    assert known.engine_sequence is None


def test_party_stays_due_when_the_engine_is_away(
    grace: Desk, henry: Desk, party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXUS_ENGINE_SOCKET", "/nonexistent/engine.sock")
    engine.cache_clear()
    known = _executed(grace, henry, "compliance.identify", party.holder, classes=1)
    with pytest.raises(EngineUnavailable):
        services.eligibility_apply(party_id=known.pk)
    assert services.sweep() == 1
    assert selectors.parties_behind(10) == [known.pk]
    engine.cache_clear()


def test_sweep_carries_on_what_nobody_woke(
    engine_client: EngineClient, keys: object, grace: Desk, henry: Desk, party: Party
) -> None:
    _chain()
    _address(party)
    act_approved(grace, henry, "compliance.identify", holder=party.holder, classes=1)
    assert services.sweep() == 2
    assert RegistryIntent.objects.get().version == 1
    assert services.sweep() == 0


def test_registry_intent_is_made_once_per_address_and_version(
    engine_client: EngineClient, keys: object, grace: Desk, henry: Desk, party: Party
) -> None:
    known = _executed(grace, henry, "compliance.identify", party.holder, classes=1)
    services.eligibility_apply(party_id=known.pk)
    address = _address(party)
    assert services.registry_intents_request(holder=party.holder) == []
    _chain()
    (intent,) = services.registry_intents_request(holder=party.holder)
    assert services.registry_intents_request(holder=party.holder) == []
    assert (intent.state, intent.target, intent.address) == ("requested", REGISTRY, address)
    types = ["address", "bool", "bool", "uint64", "uint64"]
    assert decode(types, bytes(intent.data)[4:]) == (ADDRESS.lower(), True, False, 0, 1)
    frozen = _executed(grace, henry, "compliance.freeze", party.holder)
    services.eligibility_apply(party_id=frozen.pk)
    intent.refresh_from_db()
    assert (intent.state, intent.error) == ("void", "superseded by version 2")
    second = RegistryIntent.objects.get(version=2)
    frozen.refresh_from_db()
    decoded = decode(types, bytes(second.data)[4:])
    assert decoded == (ADDRESS.lower(), True, True, frozen.frozen_sequence, 2)


def test_address_is_registered_once(party: Party) -> None:
    first = _address(party)
    assert _address(party) == first
    with pytest.raises(Conflict):
        services.address_register(
            holder=party.holder, account=1000, address=REGISTRY, attestation=bytes(65)
        )
    with pytest.raises(Conflict):
        services.address_register(
            holder=party.holder, account=1001, address=ADDRESS, attestation=bytes(65)
        )
    assert HolderAddress.objects.count() == 1


def test_contract_addresses_are_written_once(keys: object) -> None:
    _chain()
    _chain()
    with pytest.raises(Conflict):
        services.chain_addresses_set(
            authority=REGISTRY,
            targets={"identity_registry": REGISTRY},
            chain_id=31337,
            clearing_id=7,
        )
    with pytest.raises(Invalid):
        services.chain_addresses_set(authority="0x1", targets={}, chain_id=1, clearing_id=1)
    with pytest.raises(NotFound):
        selectors.party_get(holder=1)

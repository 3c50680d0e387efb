"""A batch that cannot complete: unwound and settled anew, or helped by the guarantee fund."""

import secrets

import pytest
from django.conf import settings

from compliance.models import Act
from settlement import selectors, services, settle
from settlement.chain import encoding, lane
from settlement.models import Batch, Substitution
from tests.compliance.desks import Desk, act_approved, desk_open
from tests.settlement.house import GUARANTEE, KRW, XAU, House


@pytest.fixture
def desks(house: House) -> tuple[Desk, Desk]:
    """Two trusted officers of the clearing house."""
    names = (f"officer-{secrets.token_hex(4)}" for _ in range(2))
    first, second = (desk_open(name, "clearing") for name in names)
    return first, second


def short_batch(house: House) -> tuple[int, int, Batch]:
    """Return a signed batch in which Alice no longer has what she owes."""
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 5, 600)
    house.burn(alice, "KRW", 500)
    return alice, bob, house.signed()


def act_done(desks: tuple[Desk, Desk], kind: str, **payload: int) -> Act:
    act = act_approved(desks[0], desks[1], kind, **payload)
    services.act_execute(act_id=act.id)
    act.refresh_from_db()
    return act


def blocked(house: House, batch: Batch, times: int = 1) -> Batch:
    for _ in range(times):
        settle.batch_advance(batch_id=batch.batch_id)
    batch.refresh_from_db()
    assert "ERC20InsufficientBalance" in batch.error
    return batch


@pytest.mark.parametrize("opened", [False, True])
def test_range_settles_under_a_new_id_when_a_batch_was_unwound(
    house: House, desks: tuple[Desk, Desk], opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, batch = short_batch(house)
    if opened:  # gold is collected, Alice's cash is not
        monkeypatch.setattr(settings, "SETTLEMENT_GAS_PER_DELTA", 6_000_000)
        settle.batch_advance(batch_id=batch.batch_id)
    blocked(house, batch)
    act = act_done(desks, "clearing.unwind", batch_id=batch.batch_id)
    settle.batch_advance(batch_id=batch.batch_id)
    assert house.signer.sign_waiting() == 1
    house.advance(batch, "unwound")
    act.refresh_from_db()
    assert act.state == "executed"
    assert [house.chain_units(one, asset) for one in (alice, bob) for asset in (KRW, XAU)] == [
        500,
        0,
        0,
        10,
    ]
    house.mint(alice, "KRW", 500)
    again = house.advance(house.signed())
    assert (again.batch_id, again.from_sequence, again.to_sequence) == (
        batch.batch_id + 1,
        batch.from_sequence,
        batch.to_sequence,
    )
    assert (house.chain_units(alice, KRW), house.chain_units(alice, XAU)) == (400, 5)


def test_collected_chunks_are_refunded_when_a_batch_is_unwound_half_way(
    house: House, desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SETTLEMENT_GAS_PER_DELTA", 6_000_000)
    monkeypatch.setattr(settings, "SETTLEMENT_DELTAS_PER_CHUNK", 1)
    members = [house.member(KRW=1_000) for _ in range(3)]
    bob = house.member(XAU=30)
    for member in members:
        house.fill(member, bob, 5, 600)
    last = max(members, key=lambda one: int(house.address(one), 16))
    house.burn(last, "KRW", 500)
    batch = house.signed()
    house.advance(batch, "collecting")
    blocked(house, batch)
    collected = [house.chain_units(one, KRW) for one in members if one != last]
    assert 400 in collected
    act_done(desks, "clearing.unwind", batch_id=batch.batch_id)
    assert house.signer.sign_waiting() == 1
    house.advance(batch, "unwound")
    assert [house.chain_units(one, KRW) for one in members if one != last] == [1_000, 1_000]
    assert house.chain_units(bob, XAU) == 30
    expected = selectors.next_batch_range()
    assert expected is not None
    assert (expected.batch_id, expected.to_sequence) == (batch.batch_id + 1, batch.to_sequence)


def test_batch_unwinds_by_itself_when_the_contracts_time_is_over(house: House) -> None:
    alice, _, batch = short_batch(house)
    blocked(house, batch, times=3)
    for _ in range(2):
        settle.batch_advance(batch_id=batch.batch_id)
    batch.refresh_from_db()
    assert batch.state == "collecting"
    house.rpc("evm_increaseTime", settings.SETTLEMENT_UNWIND_TIMEOUT_S + 1)
    house.mine(1)
    house.advance(batch, "unwound")
    assert house.chain_units(alice, KRW) == 500


def test_batch_nobody_countersigned_is_given_up_when_officers_unwind_it(
    house: House, desks: tuple[Desk, Desk]
) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 5, 600)
    batch = house.propose()
    assert act_done(desks, "clearing.unwind", batch_id=batch.batch_id).state == "executed"
    batch.refresh_from_db()
    assert batch.state == "unwound"
    with pytest.raises(Exception, match="nothing is left to sign"):
        services.batch_countersign(batch_id=batch.batch_id, signature=bytes(65))
    house.advance(house.signed())


def test_guarantee_fund_pays_the_shortfall_when_both_bodies_sign(
    house: House, desks: tuple[Desk, Desk]
) -> None:
    alice, bob, batch = short_batch(house)
    house.mint(GUARANTEE, "KRW", 300)
    blocked(house, batch)
    terms = {"batch_id": batch.batch_id, "asset": KRW, "account": alice}
    act = act_done(desks, "clearing.substitute", **terms, amount_units=100)
    assert house.signer.sign_waiting() == 1
    (cover,) = selectors.substitutions_to_cosign()
    services.substitution_cosign(
        substitution_id=cover.pk, venue_signature=venue_substitute(house, cover)
    )
    house.advance(batch)
    units = [house.chain_units(one, KRW) for one in (alice, bob, GUARANTEE)]
    assert units == [0, 600, 200]
    moved = batch.reserve_movements.get()
    assert (moved.kind, moved.account, moved.amount_units) == ("substituted", alice, 100)
    act.refresh_from_db()
    assert act.state == "executed"


def venue_substitute(house: House, cover: Substitution) -> bytes:
    typed = encoding.substitute_typed(
        selectors.batch_domain(),
        cover.batch_id,
        selectors.token_addresses()[cover.asset],
        house.address(cover.account),
        cover.amount_units,
    )
    return house.keys["venue"].sign_typed(typed)


def test_substitution_counts_when_a_stranger_registered_it(
    house: House, desks: tuple[Desk, Desk]
) -> None:
    alice, _, batch = short_batch(house)
    house.mint(GUARANTEE, "KRW", 300)
    terms = {"batch_id": batch.batch_id, "asset": KRW, "account": alice}
    act = act_done(desks, "clearing.substitute", **terms, amount_units=100)
    house.signer.sign_waiting()
    cover = Substitution.objects.get()
    signature = venue_substitute(house, cover)
    data = lane.substitute_call(
        batch.batch_id,
        selectors.token_addresses()[KRW],
        house.address(alice),
        100,
        signature,
        bytes(cover.clearing_signature or b""),
    )
    house.carry(house.deployment.settlement, data)
    services.substitution_cosign(substitution_id=cover.pk, venue_signature=signature)
    house.advance(batch)
    act.refresh_from_db()
    assert act.state == "executed"


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"batch_id": 9, "asset": KRW, "amount_units": 1}, "no batch 9"),
        ({"asset": XAU, "amount_units": 1}, "the fund cannot pay"),
        ({"asset": KRW, "amount_units": 601}, "the fund cannot pay 601"),
    ],
)
def test_substitution_fails_when_the_account_owes_no_such_units(
    house: House, desks: tuple[Desk, Desk], payload: dict[str, int], said: str
) -> None:
    alice, _, batch = short_batch(house)
    terms = {"batch_id": batch.batch_id, "account": alice} | payload
    act = act_done(desks, "clearing.substitute", **terms)
    assert (act.state, said in str(act.result)) == ("failed", True)
    assert not Substitution.objects.exists()


def test_unwinding_fails_when_the_batch_is_settled(house: House, desks: tuple[Desk, Desk]) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 5, 600)
    batch = house.advance(house.signed())
    assert act_done(desks, "clearing.unwind", batch_id=batch.batch_id).state == "failed"
    batch.refresh_from_db()
    assert (batch.state, batch.unwind_act) == ("confirmed", None)


def test_unwinding_fails_when_the_batch_settles_before_it_reaches_the_chain(
    house: House, desks: tuple[Desk, Desk]
) -> None:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 5, 600)
    batch = house.signed()
    settle.batch_advance(batch_id=batch.batch_id)
    batch.refresh_from_db()
    assert batch.state == "settling"
    act = act_done(desks, "clearing.unwind", batch_id=batch.batch_id)
    house.advance(batch)
    act.refresh_from_db()
    assert act.state == "failed"


def test_signer_refuses_when_officers_of_an_act_are_not_trusted(house: House) -> None:
    names = (f"officer-{secrets.token_hex(4)}" for _ in range(2))
    first, second = (desk_open(name, "clearing", trusted=False) for name in names)
    _, _, batch = short_batch(house)
    act_done((first, second), "clearing.unwind", batch_id=batch.batch_id)
    assert house.signer.sign_waiting() == 0
    batch.refresh_from_db()
    assert batch.unwind_signature is None
    assert "the policy does not list" in batch.error


def test_act_is_executed_once_when_it_is_approved_and_swept(
    house: House, desks: tuple[Desk, Desk]
) -> None:
    _, _, batch = short_batch(house)
    act = act_done(desks, "clearing.unwind", batch_id=batch.batch_id)
    services.act_execute(act_id=act.id)
    batch.refresh_from_db()
    assert batch.unwind_act == act.id
    second = act_done(desks, "clearing.unwind", batch_id=batch.batch_id)
    assert second.state == "failed"

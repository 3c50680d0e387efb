"""Batches the clearing house refuses, and what its signer does not sign."""

from typing import Any

import pytest
from django.db import DatabaseError, connection
from eth_keys.constants import SECPK1_N

from custody.models import Account
from settlement import selectors, services
from settlement.chain import encoding
from settlement.errors import BatchOpen, NetDiffers, NotYet, RangeRefused
from settlement.models import Batch, Chunk, NetPosition, Obligation
from tests.settlement.house import KRW, XAU, House


def one_fill(house: House) -> tuple[int, int]:
    alice, bob = house.member(KRW=1_000), house.member(XAU=10)
    house.fill(alice, bob, 1, 100)
    return alice, bob


def submission(house: House, **changed: Any) -> dict[str, Any]:
    """Return what the venue would submit next, with some of it changed."""
    composed = house.composed()
    terms = composed.terms
    return {
        "batch_id": terms.batch_id,
        "from_sequence": terms.from_sequence,
        "to_sequence": terms.to_sequence,
        "positions": composed.positions,
        "fills_root": terms.fills_root,
        "chunks_hash": terms.chunks_hash,
        "venue_signature": house.venue_signature(composed),
    } | changed


def test_venue_waits_when_our_follower_is_behind(house: House) -> None:
    one_fill(house)
    with pytest.raises(NotYet, match="repeat"):
        services.batch_submit(**submission(house, to_sequence=house.sequence + 1))
    assert not Batch.objects.exists()


def test_difference_is_named_when_the_venue_nets_otherwise(house: House) -> None:
    alice, bob = one_fill(house)
    positions = {(alice, XAU): 2, (bob, XAU): -2, (alice, KRW): -100, (bob, KRW): 100}
    said = f"account {alice}, asset {XAU}: the venue nets 2 units, the clearing house 1"
    with pytest.raises(NetDiffers, match=said):
        services.batch_submit(**submission(house, positions=positions))
    for name in ("fills_root", "chunks_hash"):
        with pytest.raises(NetDiffers, match=name.replace("_", " ")):
            services.batch_submit(**submission(house, **{name: bytes(32)}))
    assert not Batch.objects.exists()
    assert not NetPosition.objects.exists()


def test_batch_is_refused_when_it_skips_a_fill_or_an_id(house: House) -> None:
    one_fill(house)
    first = house.sequence
    one_fill(house)
    with pytest.raises(RangeRefused, match="is not next"):
        services.batch_submit(**submission(house, batch_id=2))
    skipping = submission(house)
    with pytest.raises(NetDiffers):
        services.batch_submit(**(skipping | {"from_sequence": first + 1}))
    with pytest.raises(RangeRefused, match="nothing to settle"):
        services.batch_submit(**(skipping | {"from_sequence": 1, "to_sequence": 1}))
    assert not Batch.objects.exists()


def test_submitting_changes_nothing_when_it_is_repeated(house: House) -> None:
    one_fill(house)
    wanted = submission(house)
    first = services.batch_submit(**wanted)
    assert services.batch_submit(**wanted) == first
    with pytest.raises(RangeRefused, match="was taken before"):
        services.batch_submit(**(wanted | {"fills_root": bytes(32)}))
    assert Batch.objects.count() == 1


def test_one_batch_is_open_when_another_is_submitted(house: House) -> None:
    one_fill(house)
    batch = house.propose()
    end = house.sequence
    one_fill(house)
    with pytest.raises(BatchOpen):
        services.batch_submit(
            **submission_after(house, batch_id=batch.batch_id + 1, from_sequence=end + 1)
        )
    assert Batch.objects.count() == 1


def submission_after(house: House, batch_id: int, from_sequence: int) -> dict[str, Any]:
    composed = selectors.batch_compose(
        batch_id=batch_id,
        from_sequence=from_sequence,
        to_sequence=house.sequence,
        obligations=selectors.obligations_between(from_sequence, house.sequence),
    )
    return {
        "batch_id": batch_id,
        "from_sequence": from_sequence,
        "to_sequence": house.sequence,
        "positions": composed.positions,
        "fills_root": composed.terms.fills_root,
        "chunks_hash": composed.terms.chunks_hash,
        "venue_signature": house.venue_signature(composed),
    }


@pytest.mark.parametrize(
    "forged",
    [None, b"", bytes(65), bytes(64), b"\xff" * 65, b"\x1b" * 65],
    ids=["another's", "empty", "zeros", "short", "ones", "random"],
)
def test_batch_is_given_up_when_the_venues_signature_is_forged(
    house: House, forged: bytes | None
) -> None:
    one_fill(house)
    house.mine()
    composed = house.composed()
    typed = encoding.batch_typed(selectors.batch_domain(), composed.terms)
    signature = house.keys["clearing"].sign_typed(typed)
    batch = services.batch_submit(
        **submission(house, venue_signature=signature if forged is None else forged)
    )
    assert house.signer.sign_waiting() == 0
    batch.refresh_from_db()
    assert (batch.state, batch.clearing_signature) == ("unwound", None)
    assert "the venue's key is" in batch.error
    house.advance(house.signed())


def test_signer_refuses_when_the_journal_says_otherwise_than_the_database(house: House) -> None:
    one_fill(house)
    house.mine()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE settlement_obligation DISABLE TRIGGER USER")
        cursor.execute("UPDATE settlement_obligation SET base_units = 2")
    batch = house.propose()
    assert house.signer.sign_waiting() == 0
    batch.refresh_from_db()
    assert (batch.state, batch.clearing_signature) == ("proposed", None)
    assert "the journal's fills give" in batch.error


def test_signer_refuses_when_custody_has_not_attested_an_address(house: House) -> None:
    alice, _ = one_fill(house)
    house.mine()
    Account.objects.filter(pk=alice).update(address="0x" + "11" * 20)
    batch = house.propose()
    assert house.signer.sign_waiting() == 0
    batch.refresh_from_db()
    assert batch.clearing_signature is None
    assert "is attested by" in batch.error


def test_signer_refuses_when_the_chain_stands_elsewhere(house: House) -> None:
    one_fill(house)
    before = house.block()
    house.advance(house.signed())
    one_fill(house)
    batch = house.propose()
    house.rpc("anvil_reorg", house.block() - before, [])
    assert house.signer.sign_waiting() == 0
    batch.refresh_from_db()
    assert "the chain stands at" in batch.error


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE settlement_obligation SET base_units = 2",
        "DELETE FROM settlement_netposition",
        "UPDATE settlement_chunk SET data = '\\x00'",
        "UPDATE settlement_batch SET to_sequence = to_sequence + 1",
        "TRUNCATE settlement_obligation",
    ],
)
def test_database_refuses_when_what_was_signed_is_changed(house: House, statement: str) -> None:
    one_fill(house)
    house.propose()
    before = [list(model.objects.values()) for model in (Obligation, NetPosition, Chunk, Batch)]
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)
    after = [list(model.objects.values()) for model in (Obligation, NetPosition, Chunk, Batch)]
    assert [[str(row) for row in rows] for rows in after] == [
        [str(row) for row in rows] for rows in before
    ]


def test_batch_is_given_up_when_the_venues_signature_is_turned_over(house: House) -> None:
    one_fill(house)
    house.mine()
    good = house.venue_signature(house.composed())
    s = SECPK1_N - int.from_bytes(good[32:64], "big")
    turned = good[:32] + s.to_bytes(32, "big") + bytes([55 - good[64]])
    batch = services.batch_submit(**submission(house, venue_signature=turned))
    assert house.signer.sign_waiting() == 0
    batch.refresh_from_db()
    assert (batch.state, batch.clearing_signature) == ("unwound", None)

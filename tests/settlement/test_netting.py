"""Netting by hand, and the laws that hold for any fills."""

import itertools
from collections import Counter

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from matching.protocol.events import Converted, Filled, Transferred
from matching.protocol.units import Side
from settlement import netting
from settlement.chain import encoding
from settlement.netting import Obligation

ALICE, BOB, CAROL = 1000, 1001, 1002
KRW, XAU, XAG = 1, 2, 3
TOKENS = {asset: f"0x{asset:040x}" for asset in (KRW, XAU, XAG)}
ACCOUNTS = {number: f"0x{number:040x}" for number in (netting.REVENUE_ACCOUNT, *range(1000, 1010))}


def obligation(fill_id: int, buyer: int, seller: int, **changed: int) -> Obligation:
    fields = {
        "sequence": fill_id + 10,
        "instrument": 1,
        "base_asset": XAU,
        "base_units": 1,
        "quote_asset": KRW,
        "quote_units": 100,
        "buyer_fee_units": 0,
        "seller_fee_units": 0,
    }
    return Obligation(fill_id=fill_id, buyer=buyer, seller=seller, **(fields | changed))


def filled(taker_side: Side) -> Filled:
    return Filled(7, 1, 5, 2, 20, 1_000, taker_side, 3, 4, ALICE, BOB, -10, 30, 0, 0)


def test_fees_and_proceeds_net_when_gold_pays_for_silver() -> None:
    dues = [
        obligation(1, BOB, ALICE, base_units=10, quote_units=1_000, seller_fee_units=1),
        obligation(2, ALICE, CAROL, base_asset=XAG, base_units=70, quote_units=990,
                   buyer_fee_units=3, seller_fee_units=-2),
    ]  # fmt: skip
    assert netting.net(dues) == {
        (2, KRW): 2,
        (ALICE, KRW): 1_000 - 1 - 990 - 3,
        (ALICE, XAU): -10,
        (ALICE, XAG): 70,
        (BOB, KRW): -1_000,
        (BOB, XAU): 10,
        (CAROL, KRW): 990 + 2,
        (CAROL, XAG): -70,
    }


def test_nothing_is_left_when_trades_cancel_out() -> None:
    assert netting.net([obligation(1, ALICE, BOB), obligation(2, BOB, ALICE)]) == {}


@pytest.mark.parametrize(
    ("taker_side", "buyer", "seller", "fees"),
    [(Side.BUY, BOB, ALICE, (30, -10)), (Side.SELL, ALICE, BOB, (-10, 30))],
)
def test_fees_follow_their_side_when_the_taker_buys_or_sells(
    taker_side: Side, buyer: int, seller: int, fees: tuple[int, int]
) -> None:
    due = netting.obligation_of(42, filled(taker_side), XAU, KRW)
    assert due == Obligation(7, 42, 1, buyer, seller, XAU, 20, KRW, 1_000, *fees)


def test_movement_is_netted_as_what_it_moves() -> None:
    moved = netting.movement_obligation(12, Transferred(ALICE, BOB, XAU, 7, "t"))
    assert netting.net([moved]) == {(ALICE, XAU): -7, (BOB, XAU): 7}
    changed = netting.movement_obligation(13, Converted(ALICE, BOB, KRW, 900, XAU, 3, "c"))
    assert netting.net([changed]) == {
        (ALICE, KRW): -900,
        (BOB, KRW): 900,
        (ALICE, XAU): 3,
        (BOB, XAU): -3,
    }
    both = [moved, changed, obligation(5, ALICE, BOB)]
    composed = compose(both)
    assert (composed.fills, composed.positions) == (1, netting.net(both))
    assert compose([moved]).fills == 0
    leaves = [netting.fill_leaf(due) for due in sorted(both, key=lambda due: due.sequence)]
    assert composed.terms.fills_root == encoding.fills_root(leaves)


def test_leaf_is_the_double_hash_of_eleven_words_when_a_fee_is_a_rebate() -> None:
    due = Obligation(1, 11, 1, ALICE, BOB, XAU, 10, KRW, 1_000, 5, -2)
    words = (1, 11, 1, ALICE, BOB, XAU, 10, KRW, 1_000, 5, 2**256 - 2)
    packed = b"".join(word.to_bytes(32, "big") for word in words)
    assert netting.fill_leaf(due) == keccak(keccak(packed))


def compose(dues: list[Obligation], **changed: int) -> netting.ComposedBatch:
    terms = {"batch_id": 1, "from_sequence": 11, "to_sequence": 20, "max_deltas": 2} | changed
    return netting.batch_compose(obligations=dues, tokens=TOKENS, accounts=ACCOUNTS, **terms)


def test_chunks_carry_exactly_the_net_when_a_batch_is_composed() -> None:
    dues = [obligation(1, ALICE, BOB), obligation(2, CAROL, BOB, base_units=4, quote_units=400)]
    composed = compose(dues)
    phases, deltas = zip(*map(encoding.chunk_decode, composed.chunks), strict=True)
    assert list(phases) == sorted(phases)
    found = {
        (int(one.account, 16), int(one.token, 16)): one.amount_units
        for one in itertools.chain(*deltas)
    }
    assert found == composed.positions == netting.net(dues)
    assert composed.terms.chunks_hash == encoding.chunks_hash(composed.chunks)
    leaves = [netting.fill_leaf(due) for due in dues]
    assert composed.terms.fills_root == encoding.fills_root(leaves)
    assert [count for _, _, count in composed.chunk_rows()] == [len(one) for one in deltas]


@pytest.mark.parametrize(
    ("dues", "said"),
    [
        ([], "nothing to settle"),
        ([obligation(1, ALICE, BOB, sequence=21)], "outside 11..20"),
        ([obligation(1, ALICE, BOB), obligation(3, ALICE, BOB)], "not there once each"),
        ([obligation(1, ALICE, BOB), obligation(1, ALICE, BOB)], "not there once each"),
        ([obligation(1, ALICE, BOB, base_asset=9)], "asset 9 has no token"),
        ([obligation(1, ALICE, 9_999)], "account 9999 has no address"),
    ],
)
def test_batch_is_refused_when_fills_are_missing_or_unknown(
    dues: list[Obligation], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        compose(dues)


@st.composite
def obligations(draw: st.DrawFn) -> list[Obligation]:
    accounts, units = st.integers(1000, 1005), st.integers(1, 10**12)
    count = draw(st.integers(1, 12))
    return [
        Obligation(
            fill_id=fill_id,
            sequence=fill_id + 10,
            instrument=1,
            buyer=draw(accounts),
            seller=draw(accounts),
            base_asset=draw(st.sampled_from([XAU, XAG])),
            base_units=draw(units),
            quote_asset=KRW,
            quote_units=draw(units),
            buyer_fee_units=draw(st.integers(-100, 100)),
            seller_fee_units=draw(st.integers(-100, 100)),
        )
        for fill_id in range(1, count + 1)
    ]


@given(obligations())
def test_net_sums_to_zero_per_asset_when_fills_are_any(dues: list[Obligation]) -> None:
    sums: Counter[int] = Counter()
    for (_, asset), amount in netting.net(dues).items():
        assert amount
        sums[asset] += amount
    assert not any(sums.values())


@given(obligations().flatmap(lambda dues: st.tuples(st.just(dues), st.permutations(dues))))
def test_batch_is_the_same_when_fills_come_in_another_order(
    pair: tuple[list[Obligation], list[Obligation]],
) -> None:
    dues, shuffled = pair
    assert compose(shuffled, to_sequence=40) == compose(dues, to_sequence=40)


@given(obligations(), st.integers(0, 12))
def test_net_of_two_ranges_adds_up_to_the_net_of_both(dues: list[Obligation], cut: int) -> None:
    parts = Counter(netting.net(dues[:cut]))
    for key, amount in netting.net(dues[cut:]).items():
        parts[key] += amount
    assert {key: amount for key, amount in parts.items() if amount} == netting.net(dues)

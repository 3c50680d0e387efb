"""The venue's proposals against the clearing house's own recomputation, over the same events."""

from decimal import Decimal

import pytest
from django.conf import settings
from eth_utils.crypto import keccak

from custody.models import Account, Asset
from exchange.listings import selectors as listings
from exchange.listings.models import Instrument
from exchange.trading import batches
from exchange.trading.models import BatchProposal
from exchange.trading.projector import entries_project
from matching.protocol.commands import Convert, Credit, OpenAccount, Transfer
from matching.protocol.events import Filled
from matching.protocol.units import AccountKind
from settlement.models import Batch, Deployment
from settlement.netting import net, obligation_of
from settlement.obligations import obligations_store
from settlement.selectors import obligations_between
from tests.exchange.flows import ACCOUNTS, Flow, entries_of

pytestmark = pytest.mark.django_db
ASSETS = {1: (2, 1), 2: (3, 1)}
SIGNATURE = b"\x01" * 65


def address(name: str) -> str:
    return "0x" + keccak(text=name)[-20:].hex()


@pytest.fixture
def flow() -> Flow:
    """Fills in two markets, recorded by venue and clearing house alike."""
    for number, code in enumerate(("KRW", "XAU", "XAG"), 1):
        Asset.objects.create(id=number, code=code, name=code, kind="metal", decimals=3)
    for number, (base, quote) in ASSETS.items():
        Instrument.objects.create(
            id=number,
            symbol=f"M{number}",
            base_asset_id=base,
            quote_asset_id=quote,
            unit="g",
            tick_size=Decimal(1),
            lot_size=Decimal(1),
            base_units_per_lot=10,
            quote_units_per_tick_lot=1_000,
            instrument_class=1,
            quantity_lots_max=500,
        )
    listings.instruments(fresh=True)
    for account in ACCOUNTS:
        Account.objects.create(id=account, holder=account, address=address(str(account)))
    Account.objects.filter(id=2).update(address=address("revenue"))
    Deployment.objects.create(
        instance=settings.INSTANCE_ID,
        chain_id=1,
        block_number=1,
        settlement=address("settlement"),
        account_registry=address("accounts"),
        identity_registry=address("identities"),
        suspense=address("suspense"),
        guarantee_fund=address("fund"),
        authorities={},
        tokens={str(asset): address(f"token {asset}") for asset in (1, 2, 3)},
    )
    flow = Flow(21).run(400)
    entries = entries_of(flow.applied, 100)
    entries_project(entries, after_sequence=0)
    for entry in entries:
        obligations_store(entry)
    return flow


def propose_and_sign() -> BatchProposal:
    proposal = batches.batch_propose()
    assert proposal is not None
    batches.batch_sign(batch_id=proposal.batch_id, signature=SIGNATURE)
    return proposal


def test_clearing_house_takes_what_the_venue_netted(flow: Flow) -> None:
    proposal = propose_and_sign()
    fills = [
        (applied.sequence, event)
        for applied in flow.applied
        for event in applied.events
        if isinstance(event, Filled)
    ]
    expected = net(
        obligation_of(sequence, fill, *ASSETS[fill.instrument]) for sequence, fill in fills
    )
    assert {(account, asset): int(units) for account, asset, units in proposal.net} == expected
    assert (proposal.from_sequence, proposal.to_sequence) == (1, fills[-1][0])
    assert batches.batch_hand_over(batch_id=proposal.batch_id)
    batch = Batch.objects.get()
    assert (batch.batch_id, batch.fills) == (proposal.batch_id, len(fills))
    assert bytes(batch.fills_root) == bytes(proposal.fills_root)
    assert batches.batch_propose() is None
    assert BatchProposal.objects.get().state == "submitted"


def test_movements_between_accounts_are_netted_with_the_fills(flow: Flow) -> None:
    before = len(flow.applied)
    seller, buyer, provider = ACCOUNTS[0], ACCOUNTS[1], ACCOUNTS[-1] + 1
    Account.objects.create(id=provider, holder=provider, address=address("provider"))
    flow.send(OpenAccount(provider, provider, AccountKind.MIRROR))
    flow.send(Credit(provider, 3, 1_000, "provider"))
    flow.send(Transfer(seller, buyer, 2, 70, "gift"))
    flow.send(Convert(buyer, provider, 1, 900, 3, 30, "exchange"))
    (entry,) = entries_of(flow.applied[before:], 10)
    entries_project([entry], after_sequence=entry.after_sequence)
    obligations_store(entry)
    proposal = propose_and_sign()
    assert proposal.to_sequence == flow.engine.sequence
    positions = {(account, asset): int(units) for account, asset, units in proposal.net}
    assert (positions[provider, 1], positions[provider, 3]) == (900, -30)
    assert batches.batch_hand_over(batch_id=proposal.batch_id)
    dues = obligations_between(1, flow.engine.sequence)
    assert net(dues) == positions
    assert bytes(Batch.objects.get().fills_root) == bytes(proposal.fills_root)


def test_proposal_is_the_same_when_it_is_made_again(flow: Flow) -> None:
    first, again = batches.batch_propose(), batches.batch_propose()
    assert first == again
    assert BatchProposal.objects.count() == 1


def test_difference_is_named_and_nothing_is_taken_when_a_net_was_altered(flow: Flow) -> None:
    proposal = propose_and_sign()
    account, asset, units = proposal.net[0]
    proposal.net[0] = [account, asset, str(int(units) + 1)]
    BatchProposal.objects.filter(pk=proposal.pk).update(net=proposal.net)
    assert not batches.batch_hand_over(batch_id=proposal.batch_id)
    assert not Batch.objects.exists()
    assert f"account {account}, asset {asset}" in BatchProposal.objects.get().error


def test_unwound_range_is_proposed_again_under_another_number(flow: Flow) -> None:
    first = propose_and_sign()
    batches.batch_hand_over(batch_id=first.batch_id)
    Batch.objects.update(state="unwound")
    again = propose_and_sign()
    assert again.batch_id == first.batch_id + 1
    assert (again.from_sequence, again.to_sequence) == (first.from_sequence, first.to_sequence)
    assert again.net == first.net
    assert batches.batch_hand_over(batch_id=again.batch_id)
    states = BatchProposal.objects.order_by("batch_id").values_list("state", flat=True)
    assert list(states) == ["replaced", "submitted"]


def test_due_cycle_begins_when_the_batch_before_has_ended(flow: Flow) -> None:
    batches.batch_hand_over(batch_id=propose_and_sign().batch_id)
    cycle = batches.Cycle(cycle_s=3_600)
    cycle.step()
    assert BatchProposal.objects.count() == 1
    Batch.objects.update(state="unwound")
    cycle.step()
    assert BatchProposal.objects.count() == 2


def test_batch_ends_between_commands_when_there_are_many_fills(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "FILLS_MAX", 10)
    proposal = propose_and_sign()
    assert 0 < proposal.fills <= 10
    assert batches.batch_hand_over(batch_id=proposal.batch_id)


def test_nothing_is_proposed_before_accounts_have_addresses(flow: Flow) -> None:
    Account.objects.filter(id=ACCOUNTS[0]).update(address=None)
    assert batches.batch_propose() is None
